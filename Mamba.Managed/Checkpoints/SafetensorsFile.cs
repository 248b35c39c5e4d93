using System.IO.MemoryMappedFiles;
using System.Text.Json;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Checkpoints;

/// <summary>A safetensors file, mapped into memory: a JSON header that names types, shapes and offsets, then the elements.</summary>
/// <remarks>
/// <code>| header length: 8 bytes, little endian | header: JSON | elements |</code>
/// Every number of the header is checked against the file before it is used. The tensors stay valid after this object is disposed, as each
/// keeps its own mapping.
/// </remarks>
public sealed class SafetensorsFile : IDisposable
{
    private const int PrefixLength = 8;
    private const long LongestHeader = 100_000_000;

    private readonly MemoryMappedFile? mapping;
    private readonly Dictionary<string, Tensor> tensors = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> metadata = new(StringComparer.Ordinal);

    private SafetensorsFile(string path)
    {
        using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1);
        long length = stream.Length;
        byte[] header = ReadHeader(stream);
        long start = PrefixLength + header.Length;
        List<Entry> entries = ReadEntries(header, length - start);
        if (length > start)
        {
            mapping = MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
        }

        foreach (Entry entry in entries)
        {
            TensorBuffer buffer = entry.Length == 0 ? TensorBuffer.Allocate(0) : TensorBuffer.Map(mapping!, start + entry.Offset, entry.Length);
            tensors.Add(entry.Name, new Tensor(entry.Type, entry.Shape, buffer, 0));
        }
    }

    /// <summary>The tensors by name.</summary>
    public IReadOnlyDictionary<string, Tensor> Tensors => tensors;

    /// <summary>The strings under <c>__metadata__</c>.</summary>
    public IReadOnlyDictionary<string, string> Metadata => metadata;

    /// <summary>Opens a file and checks its header.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is not a whole safetensors file; the message says where it departs.</exception>
    public static SafetensorsFile Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        try
        {
            return new SafetensorsFile(path);
        }
        catch (InvalidDataException error)
        {
            throw new InvalidDataException($"{path}: {error.Message}", error);
        }
    }

    /// <summary>Writes tensors in the given order to a temporary file, flushes it and renames it to <paramref name="path"/>.</summary>
    /// <param name="path">The file; replaced when it exists.</param>
    /// <param name="tensors">Names and tensors.</param>
    /// <param name="metadata">Strings to keep with them.</param>
    public static void Save(string path, IEnumerable<KeyValuePair<string, Tensor>> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        KeyValuePair<string, Tensor>[] entries = [.. tensors];
        string temporary = path + ".tmp";
        using (FileStream stream = new(temporary, FileMode.Create, FileAccess.Write))
        {
            byte[] header = WriteHeader(entries, metadata);
            Span<byte> prefix = stackalloc byte[PrefixLength];
            System.Buffers.Binary.BinaryPrimitives.WriteInt64LittleEndian(prefix, header.Length);
            stream.Write(prefix);
            stream.Write(header);
            foreach ((_, Tensor tensor) in entries)
            {
                stream.Write(tensor.Bytes);
            }

            stream.Flush(flushToDisk: true);
        }

        File.Move(temporary, path, overwrite: true);
    }

    /// <inheritdoc/>
    public void Dispose() => mapping?.Dispose();

    private static byte[] ReadHeader(FileStream stream)
    {
        Span<byte> prefix = stackalloc byte[PrefixLength];
        if (stream.ReadAtLeast(prefix, PrefixLength, throwOnEndOfStream: false) < PrefixLength)
        {
            throw new InvalidDataException(Throw.Invariant($"expected a header length of 8 bytes, found a file of {stream.Length}; is the download complete?"));
        }

        long length = System.Buffers.Binary.BinaryPrimitives.ReadInt64LittleEndian(prefix);
        long most = Math.Min(stream.Length - PrefixLength, LongestHeader);
        if (length < 2 || length > most)
        {
            throw new InvalidDataException(Throw.Invariant($"expected a header of 2 to {most} bytes, found a length of {length}; is this a safetensors file?"));
        }

        byte[] header = new byte[length];
        stream.ReadExactly(header);
        return header;
    }

    private List<Entry> ReadEntries(byte[] header, long bytes)
    {
        List<Entry> entries = [];
        try
        {
            using JsonDocument document = JsonDocument.Parse(header, new JsonDocumentOptions { MaxDepth = 8, AllowDuplicateProperties = false });
            foreach (JsonProperty property in document.RootElement.EnumerateObject())
            {
                if (property.NameEquals("__metadata__"))
                {
                    foreach (JsonProperty text in property.Value.EnumerateObject())
                    {
                        metadata.Add(text.Name, text.Value.GetString() ?? "");
                    }
                }
                else
                {
                    entries.Add(ReadEntry(property.Name, property.Value, bytes));
                }
            }
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw new InvalidDataException($"the header is not the JSON that safetensors asks for: {error.Message}", error);
        }

        CheckNoGaps(entries, bytes);
        return entries;
    }

    private static Entry ReadEntry(string name, JsonElement value, long bytes)
    {
        string? dtype = value.GetProperty("dtype").GetString();
        ElementType type = dtype switch
        {
            "F32" => ElementType.Float32,
            "F16" => ElementType.Float16,
            "BF16" => ElementType.BFloat16,
            "I64" => ElementType.Int64,
            _ => throw new InvalidDataException($"{name}: expected dtype F32, F16, BF16 or I64, found {dtype}; convert the checkpoint first"),
        };
        List<int> shape = [];
        long count = 1;
        foreach (JsonElement dimension in value.GetProperty("shape").EnumerateArray())
        {
            long size = dimension.GetInt64();
            if (size < 0 || size > int.MaxValue || (count *= size) > int.MaxValue || shape.Count == 8)
            {
                throw new InvalidDataException(Throw.Invariant($"{name}: expected at most 8 dimensions and 2^31 - 1 elements, found a dimension of {size}"));
            }

            shape.Add((int)size);
        }

        JsonElement offsets = value.GetProperty("data_offsets");
        if (offsets.GetArrayLength() != 2)
        {
            throw new InvalidDataException(Throw.Invariant($"{name}: expected two data_offsets, found {offsets.GetArrayLength()}"));
        }

        long start = offsets[0].GetInt64(), end = offsets[1].GetInt64();
        if (start < 0 || end < start || end > bytes)
        {
            throw new InvalidDataException(Throw.Invariant($"{name}: expected data_offsets within the {bytes} bytes that follow the header, found {start} to {end}; is the download complete?"));
        }

        return end - start == count * type.Size()
            ? new Entry(name, type, [.. shape], start, end - start)
            : throw new InvalidDataException(Throw.Invariant($"{name}: expected {count * type.Size()} bytes for its shape, found {end - start}"));
    }

    private static void CheckNoGaps(List<Entry> entries, long bytes)
    {
        long at = 0;
        foreach (Entry entry in entries.OrderBy(e => e.Offset).ThenBy(e => e.Length))
        {
            if (entry.Offset != at)
            {
                throw new InvalidDataException(Throw.Invariant($"{entry.Name}: expected to begin at {at}, where the tensor before it ends, found {entry.Offset}"));
            }

            at += entry.Length;
        }

        if (at != bytes)
        {
            throw new InvalidDataException(Throw.Invariant($"expected {at} bytes of elements, found {bytes}; the file is padded or its header is another file's"));
        }
    }

    private static byte[] WriteHeader(KeyValuePair<string, Tensor>[] entries, IReadOnlyDictionary<string, string>? metadata)
    {
        using MemoryStream stream = new();
        using (Utf8JsonWriter json = new(stream))
        {
            json.WriteStartObject();
            if (metadata is { Count: > 0 })
            {
                json.WriteStartObject("__metadata__");
                foreach ((string name, string text) in metadata)
                {
                    json.WriteString(name, text);
                }

                json.WriteEndObject();
            }

            long at = 0;
            foreach ((string name, Tensor tensor) in entries)
            {
                json.WriteStartObject(name);
                json.WriteString("dtype", tensor.Type switch
                {
                    ElementType.Float32 => "F32",
                    ElementType.Float16 => "F16",
                    ElementType.BFloat16 => "BF16",
                    _ => "I64",
                });
                json.WriteStartArray("shape");
                foreach (int dimension in tensor.Shape)
                {
                    json.WriteNumberValue(dimension);
                }

                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(at);
                json.WriteNumberValue(at += tensor.ByteLength);
                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        // Spaces after the JSON bring the elements to a multiple of 8, as the format's own writer does.
        while (stream.Length % PrefixLength != 0)
        {
            stream.WriteByte((byte)' ');
        }

        return stream.ToArray();
    }

    private sealed record Entry(string Name, ElementType Type, int[] Shape, long Offset, long Length);
}
