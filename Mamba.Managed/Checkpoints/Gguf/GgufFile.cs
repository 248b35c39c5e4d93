using System.IO.MemoryMappedFiles;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Checkpoints.Gguf;

/// <summary>A GGUF file, mapped into memory: metadata and tensors under the names that the file gives them.</summary>
/// <remarks>Tensors and metadata own their mappings, so nothing is to be disposed but them, and they outlive this object.</remarks>
public sealed class GgufFile
{
    private readonly Dictionary<string, Tensor> tensors = new(StringComparer.Ordinal);
    private readonly TensorBuffer start;

    private GgufFile(GgufHeader header, TensorBuffer start)
    {
        (Version, Metadata) = (header.Version, header.Metadata);
        this.start = start;
    }

    /// <summary>The version of the format: 2 or 3.</summary>
    public int Version { get; }

    /// <summary>The values by key.</summary>
    public GgufMetadata Metadata { get; }

    /// <summary>The tensors by name; dimensions slowest first, the reverse of the file's.</summary>
    public IReadOnlyDictionary<string, Tensor> Tensors => tensors;

    /// <summary>What kind of model the file holds, as <c>mamba</c>; null where it does not say.</summary>
    /// <exception cref="InvalidDataException">The value is not a string.</exception>
    public string? Architecture => Metadata.GetString(GgufLayout.ArchitectureKey);

    /// <summary>Opens a file and checks its header.</summary>
    /// <param name="path">The file: version 2 or 3, little endian.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is not a whole GGUF file, or holds a type that this library does not; the message says where.</exception>
    public static GgufFile Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        try
        {
            return Read(file);
        }
        catch (InvalidDataException error)
        {
            throw new InvalidDataException($"{path}: {error.Message}", error);
        }
    }

    /// <summary>Writes a file of version 3 to a temporary name, flushes it and renames it to <paramref name="path"/>.</summary>
    /// <param name="path">The file; replaced when it exists.</param>
    /// <param name="metadata">Written in its order.</param>
    /// <param name="tensors">Names and tensors, written in their order.</param>
    /// <exception cref="ArgumentException">A name is given twice, or a tensor has no dimension or more than four.</exception>
    public static void Save(string path, GgufMetadata metadata, IEnumerable<KeyValuePair<string, Tensor>> tensors)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        GgufWriter.Write(path, metadata, [.. tensors.Select(pair => new GgufEntry(pair.Key, pair.Value.Type, pair.Value.Shape.ToArray(), () => pair.Value))]);
    }

    /// <summary>Frees the mapping of the header; the metadata may not be used afterwards.</summary>
    internal void ReleaseHeader() => start.Dispose();

    /// <summary>Frees every mapping.</summary>
    internal void Release()
    {
        ReleaseHeader();
        TensorRegion.Release(tensors.Values);
    }

    private static GgufFile Read(FileStream file)
    {
        if (file.Length < 24)
        {
            throw new InvalidDataException(Throw.Invariant($"expected at least 24 bytes of GGUF header, found a file of {file.Length}"));
        }

        using MemoryMappedFile mapping =
            MemoryMappedFile.CreateFromFile(file, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);

        // Only the pages that the header covers are ever touched.
        int length = (int)Math.Min(file.Length, int.MaxValue);
        TensorBuffer start = TensorBuffer.Map(mapping, 0, length);
        GgufHeader header;
        try
        {
            header = GgufHeader.Read(start.Memory<byte>(0, length), file.Length);
        }
        catch
        {
            start.Dispose();
            throw;
        }

        GgufFile result = new(header, start);
        try
        {
            foreach (GgufTensor tensor in header.Tensors)
            {
                TensorBuffer buffer = TensorBuffer.Map(mapping, tensor.Offset, tensor.Length);
                result.tensors.Add(tensor.Name, new Tensor(tensor.Type, tensor.Shape, buffer, 0));
            }
        }
        catch
        {
            result.Release();
            throw;
        }

        return result;
    }
}
