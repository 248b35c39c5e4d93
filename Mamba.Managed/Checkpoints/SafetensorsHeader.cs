using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Checkpoints;

/// <summary>The JSON header of a safetensors file: <c>{"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...}</c>.</summary>
/// <remarks>
/// The rules of the format are enforced: names appear once, and the tensors cover the data from the first byte to the last without
/// gap or overlap. At most <see cref="TensorRegion.MaxCount"/> tensors and as many metadata entries are accepted, so that a header
/// cannot cost much more memory than its own length.
/// </remarks>
internal sealed class SafetensorsHeader
{
    private const string MetadataName = "__metadata__";

    /// <summary>Where each tensor lies, in the order of the header.</summary>
    public Dictionary<string, TensorRegion> Regions { get; } = [];

    /// <summary>Free text of the writer.</summary>
    public Dictionary<string, string> Metadata { get; } = [];

    /// <summary>Reads and checks a header.</summary>
    /// <param name="json">The header, padding included.</param>
    /// <param name="dataStart">Where the data begin in the file, in bytes.</param>
    /// <param name="dataLength">How many bytes of data the file holds.</param>
    public static SafetensorsHeader Parse(ReadOnlySpan<byte> json, long dataStart, long dataLength)
    {
        UntrustedFile.RequireUtf8(json);
        SafetensorsHeader header = new();
        Utf8JsonReader reader = new(json);
        Expect(ref reader, JsonTokenType.StartObject, "the header");
        bool metadataSeen = false;
        while (NextName(ref reader) is { } name)
        {
            if (name != MetadataName)
            {
                Add(header.Regions, name, ReadRegion(ref reader, Shortened.Text(name), dataStart, dataLength));
            }
            else if (!metadataSeen)
            {
                metadataSeen = true;
                header.ReadMetadata(ref reader);
            }
            else
            {
                throw new InvalidDataException($"{MetadataName} appears twice");
            }
        }

        reader.Read();
        RequireCovered(header.Regions, dataStart, dataLength);
        return header;
    }

    /// <summary>The header of tensors that follow one another in the order given, padded with spaces to a multiple of 8 bytes.</summary>
    public static byte[] Format(IEnumerable<KeyValuePair<string, Tensor>> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        ArrayBufferWriter<byte> bytes = new();
        using (Utf8JsonWriter writer = new(bytes))
        {
            writer.WriteStartObject();
            WriteMetadata(writer, metadata);
            long start = 0;
            foreach ((string name, Tensor tensor) in tensors)
            {
                WriteTensor(writer, name, tensor, start);
                start += tensor.ByteLength;
            }

            writer.WriteEndObject();
        }

        int padding = -bytes.WrittenCount & 7;
        bytes.GetSpan(padding)[..padding].Fill((byte)' ');
        bytes.Advance(padding);
        return bytes.WrittenSpan.ToArray();
    }

    /// <summary>Whether a tensor may have this name.</summary>
    public static bool IsReserved(string name) => name == MetadataName;

    private static void WriteMetadata(Utf8JsonWriter writer, IReadOnlyDictionary<string, string>? metadata)
    {
        if (metadata is null || metadata.Count == 0)
        {
            return;
        }

        writer.WriteStartObject(MetadataName);
        foreach ((string key, string value) in metadata)
        {
            writer.WriteString(key, value);
        }

        writer.WriteEndObject();
    }

    private static void WriteTensor(Utf8JsonWriter writer, string name, Tensor tensor, long start)
    {
        writer.WriteStartObject(name);
        writer.WriteString("dtype", NameOf(tensor.Type));
        writer.WriteStartArray("shape");
        foreach (int dimension in tensor.Shape)
        {
            writer.WriteNumberValue(dimension);
        }

        writer.WriteEndArray();
        writer.WriteStartArray("data_offsets");
        writer.WriteNumberValue(start);
        writer.WriteNumberValue(start + tensor.ByteLength);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static TensorRegion ReadRegion(ref Utf8JsonReader reader, string name, long dataStart, long dataLength)
    {
        string? type = null;
        long[]? shape = null, offsets = null;
        Expect(ref reader, JsonTokenType.StartObject, name);
        while (NextName(ref reader) is { } property)
        {
            switch (property)
            {
                case "dtype" when type is null:
                    type = ReadText(ref reader, name);
                    break;
                case "shape" when shape is null:
                    shape = ReadIntegers(ref reader, name);
                    break;
                case "data_offsets" when offsets is null:
                    offsets = ReadIntegers(ref reader, name);
                    break;
                default:
                    throw new InvalidDataException($"{name}: expected dtype, shape and data_offsets once each, found another {Shortened.Text(property)}");
            }
        }

        if (type is null || shape is null || offsets is not [long start, long end])
        {
            throw new InvalidDataException($"{name}: expected a dtype, a shape and two data_offsets, found less");
        }

        if (start > end || end > dataLength)
        {
            throw new InvalidDataException(Throw.Invariant($"{name}: expected data_offsets within {dataLength} bytes of data, found [{start}, {end}]"));
        }

        TensorRegion region = TensorRegion.Create(name, TypeOf(type, name), shape, dataStart + start);
        return region.Length == end - start
            ? region
            : throw new InvalidDataException(Throw.Invariant($"{name}: expected {region.Length} bytes for {type} [{string.Join(", ", shape)}], found {end - start}"));
    }

    // Null is what some writers put down for no metadata.
    private void ReadMetadata(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.Null)
        {
            return;
        }

        RequireToken(reader.TokenType, JsonTokenType.StartObject, MetadataName);
        while (NextName(ref reader) is { } name)
        {
            Add(Metadata, name, ReadText(ref reader, Shortened.Text($"{MetadataName}.{name}")));
        }
    }

    private static void Add<T>(Dictionary<string, T> entries, string name, T value)
    {
        if (!entries.TryAdd(name, value))
        {
            throw new InvalidDataException($"{Shortened.Text(name)} appears twice");
        }

        if (entries.Count > TensorRegion.MaxCount)
        {
            throw new InvalidDataException(Throw.Invariant($"expected at most {TensorRegion.MaxCount} entries, found more"));
        }
    }

    private static void RequireCovered(Dictionary<string, TensorRegion> regions, long dataStart, long dataLength)
    {
        long end = dataStart;
        foreach ((string name, TensorRegion region) in regions.OrderBy(r => r.Value.Offset).ThenBy(r => r.Value.Length))
        {
            if (region.Offset != end)
            {
                string fault = region.Offset < end ? "overlaps the tensor before it" : "leaves a gap before it";
                throw new InvalidDataException(Throw.Invariant($"{Shortened.Text(name)}: expected to begin at byte {end}, found {region.Offset}: it {fault}"));
            }

            end += region.Length;
        }

        if (end != dataStart + dataLength)
        {
            throw new InvalidDataException(Throw.Invariant($"expected the tensors to end with the file at byte {dataStart + dataLength}, found {end}"));
        }
    }

    private static string? NextName(ref Utf8JsonReader reader)
    {
        reader.Read();
        return reader.TokenType == JsonTokenType.PropertyName ? reader.GetString() : null;
    }

    private static void Expect(ref Utf8JsonReader reader, JsonTokenType token, string where)
    {
        reader.Read();
        RequireToken(reader.TokenType, token, where);
    }

    private static void RequireToken(JsonTokenType found, JsonTokenType expected, string where)
    {
        if (found != expected)
        {
            throw new InvalidDataException($"{where}: expected {NameOf(expected)}, found {NameOf(found)}");
        }
    }

    [SuppressMessage("Style", "IDE0072", Justification = "the others end a value and are not met where one begins")]
    private static string NameOf(JsonTokenType token) => token switch
    {
        JsonTokenType.StartObject => "an object",
        JsonTokenType.StartArray => "a list",
        JsonTokenType.String => "a text",
        JsonTokenType.Number => "a number",
        JsonTokenType.True or JsonTokenType.False => "a truth value",
        JsonTokenType.Null => "null",
        _ => "nothing",
    };

    private static string ReadText(ref Utf8JsonReader reader, string where)
    {
        Expect(ref reader, JsonTokenType.String, where);
        return reader.GetString()!;
    }

    private static long[] ReadIntegers(ref Utf8JsonReader reader, string where)
    {
        Expect(ref reader, JsonTokenType.StartArray, where);
        List<long> values = [];
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out long value) || value < 0 || values.Count == TensorRegion.MaxRank)
            {
                throw new InvalidDataException(Throw.Invariant($"{where}: expected at most {TensorRegion.MaxRank} integers from 0 to 2^63 - 1, found others"));
            }

            values.Add(value);
        }

        return [.. values];
    }

    private static ElementType TypeOf(string name, string tensor) => name switch
    {
        "F32" => ElementType.Float32,
        "F16" => ElementType.Float16,
        "BF16" => ElementType.BFloat16,
        "I64" => ElementType.Int64,
        _ => throw new InvalidDataException($"{tensor}: expected dtype F32, F16, BF16 or I64, found {Shortened.Text(name)}; convert the tensor to one of these and save the file again"),
    };

    private static string NameOf(ElementType type) => type switch
    {
        ElementType.Float32 => "F32",
        ElementType.Float16 => "F16",
        ElementType.BFloat16 => "BF16",
        ElementType.Int64 => "I64",
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "expected a type that safetensors files hold"),
    };
}
