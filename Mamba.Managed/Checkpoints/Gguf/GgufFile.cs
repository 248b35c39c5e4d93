using System.Buffers.Binary;
using System.IO.MemoryMappedFiles;
using System.Text;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Checkpoints.Gguf;

/// <summary>A GGUF file, mapped into memory: metadata and tensors under the names that the file gives them.</summary>
/// <remarks>Tensors and metadata own their mappings, so nothing is to be disposed but them, and they outlive this object.</remarks>
public sealed class GgufFile
{
    private readonly Dictionary<string, Tensor> tensors = new(StringComparer.Ordinal);

    private GgufFile(int version, GgufMetadata metadata) => (Version, Metadata) = (version, metadata);

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
        Save(path, metadata, [.. tensors.Select(pair => new GgufEntry(pair.Key, pair.Value.Type, pair.Value.Shape.ToArray(), () => pair.Value))]);
    }

    /// <summary>Frees every mapping of the tensors.</summary>
    internal void Release()
    {
        foreach (Tensor tensor in tensors.Values)
        {
            tensor.Buffer.Dispose();
        }
    }

    /// <summary>Writes a file whose tensors are made one at a time.</summary>
    internal static void Save(string path, GgufMetadata metadata, IReadOnlyList<GgufEntry> entries)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(metadata);
        int alignment = metadata.GetInteger(GgufLayout.AlignmentKey, GgufLayout.DefaultAlignment);
        byte[] head = Head(metadata, entries, alignment);
        string temporary = $"{path}.{Path.GetRandomFileName()}.tmp";
        try
        {
            using (FileStream stream = new(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 16))
            {
                stream.Write(head);
                Pad(stream, alignment);
                foreach (GgufEntry entry in entries)
                {
                    Write(stream, entry.Make());
                    Pad(stream, alignment);
                }

                stream.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
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

        GgufFile result = new(header.Version, header.Metadata);
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

    private static byte[] Head(GgufMetadata metadata, IReadOnlyList<GgufEntry> entries, int alignment)
    {
        using MemoryStream stream = new();
        using BinaryWriter writer = new(stream, Encoding.UTF8);
        writer.Write(GgufLayout.Magic);
        writer.Write(GgufLayout.Version);
        writer.Write((long)entries.Count);
        writer.Write((long)metadata.Count);
        foreach ((string key, GgufValue value) in metadata)
        {
            WriteName(key);
            writer.Write((int)value.Type);
            writer.Write(value.Encoded);
        }

        long at = 0;
        HashSet<string> names = new(StringComparer.Ordinal);
        foreach (GgufEntry entry in entries)
        {
            if (!names.Add(entry.Name) || entry.Shape.Length is 0 or > 4)
            {
                Throw.Argument($"{entry.Name}: expected a name once, and 1 to 4 dimensions, found [{string.Join(", ", entry.Shape)}]", nameof(entries));
            }

            WriteName(entry.Name);
            writer.Write(entry.Shape.Length);
            foreach (int dimension in entry.Shape.Reverse())
            {
                writer.Write((long)dimension);
            }

            writer.Write(GgufLayout.NumberOf(entry.Type));
            writer.Write(at);
            at = GgufLayout.Align(at + entry.ByteLength, alignment);
        }

        writer.Flush();
        return stream.ToArray();

        void WriteName(string name)
        {
            byte[] text = Encoding.UTF8.GetBytes(name);
            writer.Write((long)text.Length);
            writer.Write(text);
        }
    }

    private static void Write(FileStream stream, Tensor tensor)
    {
        const int Most = 1 << 24;
        for (long at = 0; at < tensor.ByteLength; at += Most)
        {
            stream.Write(tensor.Buffer.Span<byte>(tensor.Offset + at, (int)Math.Min(Most, tensor.ByteLength - at)));
        }

        GC.KeepAlive(tensor);
    }

    private static void Pad(FileStream stream, int alignment)
    {
        Span<byte> zero = stackalloc byte[1];
        zero.Clear();
        for (long end = GgufLayout.Align(stream.Position, alignment); stream.Position < end;)
        {
            stream.Write(zero);
        }
    }
}

/// <summary>A tensor to be written: what the header says of it, and what makes it when its turn comes.</summary>
/// <param name="Name">The name in the file.</param>
/// <param name="Type">How the elements are stored.</param>
/// <param name="Shape">Dimensions, slowest first.</param>
/// <param name="Make">Gives a tensor of that type with as many elements.</param>
internal sealed record GgufEntry(string Name, ElementType Type, int[] Shape, Func<Tensor> Make)
{
    /// <summary>Length in bytes.</summary>
    public long ByteLength => Type.ByteLength(Shape.Aggregate(1L, (count, dimension) => count * dimension));
}
