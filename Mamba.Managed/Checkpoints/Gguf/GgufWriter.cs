using System.Text;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Checkpoints.Gguf;

/// <summary>A tensor to be written: its entry in the header, and a function that makes it when it is written.</summary>
/// <param name="Name">The name in the file.</param>
/// <param name="Type">How the elements are stored.</param>
/// <param name="Shape">Dimensions, slowest first.</param>
/// <param name="Make">Returns a tensor of this type and number of elements.</param>
internal sealed record GgufEntry(string Name, ElementType Type, int[] Shape, Func<Tensor> Make)
{
    /// <summary>Length in bytes.</summary>
    public long ByteLength => Type.ByteLength(Shape.Aggregate(1L, (count, dimension) => count * dimension));
}

/// <summary>Writes GGUF files of version 3.</summary>
internal static class GgufWriter
{
    /// <summary>Writes a file whose tensors are made one at a time: to a temporary file that is flushed to the disk and renamed.</summary>
    public static void Write(string path, GgufMetadata metadata, IReadOnlyList<GgufEntry> entries)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(metadata);
        int alignment = metadata.GetInteger(GgufLayout.AlignmentKey, GgufLayout.DefaultAlignment);
        byte[] head = Head(metadata, entries, alignment);
        AtomicFile.Write(path, stream =>
        {
            stream.Write(head);
            Pad(stream, alignment);
            foreach (GgufEntry entry in entries)
            {
                entry.Make().WriteTo(stream);
                Pad(stream, alignment);
            }
        });
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

    private static void Pad(Stream stream, int alignment)
    {
        Span<byte> zero = stackalloc byte[1];
        zero.Clear();
        for (long end = GgufLayout.Align(stream.Position, alignment); stream.Position < end;)
        {
            stream.Write(zero);
        }
    }
}
