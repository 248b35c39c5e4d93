using Mamba.Managed.Tensors;

namespace Mamba.Managed.Checkpoints.Gguf;

/// <summary>A GGUF file, mapped into memory: metadata and tensors under the names that the file gives them.</summary>
/// <remarks>The tensors are disposed with the file; the metadata are copies and outlive it. The file must not be truncated while it is open.</remarks>
internal sealed class GgufFile : IDisposable
{
    // The metadata are copied, so their length is limited: to that of the longest tokenizer file.
    private const long LongestHeader = 256L << 20;

    private readonly Dictionary<string, Tensor> tensors = new(StringComparer.Ordinal);
    private readonly MappedFile file;

    private GgufFile(MappedFile file, GgufHeader header)
    {
        this.file = file;
        (Version, Metadata) = (header.Version, header.Metadata);
        foreach (GgufTensor tensor in header.Tensors)
        {
            tensors.Add(tensor.Name, new Tensor(tensor.Type, tensor.Shape, file.Region(tensor.Offset, tensor.Length), 0));
        }
    }

    /// <summary>The version of the format: 2 or 3.</summary>
    public int Version { get; }

    /// <summary>The values by key.</summary>
    public GgufMetadata Metadata { get; }

    /// <summary>The tensors by name; dimensions slowest first, the reverse of the file's.</summary>
    public IReadOnlyDictionary<string, Tensor> Tensors => tensors;

    /// <summary>The architecture of the model, for example <c>mamba</c>; null if the file does not name one.</summary>
    /// <exception cref="InvalidDataException">The value is not a string.</exception>
    public string? Architecture => Metadata.GetString(GgufLayout.ArchitectureKey);

    /// <summary>Opens a file and checks its header.</summary>
    /// <param name="path">The file: version 2 or 3, little endian.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is damaged or incomplete, or contains an unsupported type; the message says where.</exception>
    public static GgufFile Open(string path) => UntrustedFile.Read(path, Read);

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

    /// <summary>Unmaps the file and disposes its tensors.</summary>
    public void Dispose() => file.Dispose();

    private static GgufFile Read(FileStream file)
    {
        if (file.Length < 24)
        {
            throw new InvalidDataException(Throw.Invariant($"expected at least 24 bytes of GGUF header, found a file of {file.Length}"));
        }

        MappedFile mapped = MappedFile.Open(file);
        try
        {
            // Only the pages of the header are touched.
            using TensorBuffer start = mapped.Region(0, Math.Min(mapped.Length, LongestHeader));
            return new GgufFile(mapped, GgufHeader.Read(start, mapped.Length));
        }
        catch
        {
            mapped.Dispose();
            throw;
        }
    }
}
