using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using System.Text;

namespace Mamba.Managed.Checkpoints.Gguf;

/// <summary>The type of a metadata value of a GGUF file; the numbers are those of the format.</summary>
internal enum GgufValueType
{
    /// <summary>1 byte.</summary>
    UInt8 = 0,

    /// <summary>1 byte, signed.</summary>
    Int8 = 1,

    /// <summary>2 bytes.</summary>
    UInt16 = 2,

    /// <summary>2 bytes, signed.</summary>
    Int16 = 3,

    /// <summary>4 bytes.</summary>
    UInt32 = 4,

    /// <summary>4 bytes, signed.</summary>
    Int32 = 5,

    /// <summary>IEEE 754 binary32.</summary>
    Float32 = 6,

    /// <summary>1 byte, 0 or 1.</summary>
    Boolean = 7,

    /// <summary>A length of 8 bytes, then UTF-8.</summary>
    String = 8,

    /// <summary>The type of the entries, their number in 8 bytes, then the entries.</summary>
    Array = 9,

    /// <summary>8 bytes.</summary>
    UInt64 = 10,

    /// <summary>8 bytes, signed.</summary>
    Int64 = 11,

    /// <summary>IEEE 754 binary64.</summary>
    Float64 = 12,
}

/// <summary>A metadata value of a GGUF file: its type and its encoded bytes, decoded on demand.</summary>
/// <remarks>The bytes are kept, so that a value of any kind can be copied to another file unchanged, and unused values are never decoded.</remarks>
internal sealed class GgufValue
{
    private readonly ReadOnlyMemory<byte> encoded;

    internal GgufValue(GgufValueType type, ReadOnlyMemory<byte> encoded)
    {
        Type = type;
        this.encoded = encoded;
    }

    /// <summary>The type of the value.</summary>
    public GgufValueType Type { get; }

    /// <summary>The type of an array's entries; null for a single value.</summary>
    public GgufValueType? EntryType => Type == GgufValueType.Array ? (GgufValueType)BinaryPrimitives.ReadInt32LittleEndian(encoded.Span) : null;

    /// <summary>The number of entries of an array; 1 for a single value.</summary>
    public long Count => Type == GgufValueType.Array ? BinaryPrimitives.ReadInt64LittleEndian(encoded.Span[4..]) : 1;

    /// <summary>The bytes after the type, as in a file.</summary>
    internal ReadOnlySpan<byte> Encoded => encoded.Span;

    private ReadOnlySpan<byte> Entries => encoded.Span[12..];

    /// <summary>A string.</summary>
    public static GgufValue From(string value)
    {
        ArgumentNullException.ThrowIfNull(value);
        return new(GgufValueType.String, EncodeString(value));
    }

    /// <summary>A whole number of 32 bits.</summary>
    public static GgufValue From(uint value)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        return new(GgufValueType.UInt32, bytes);
    }

    /// <summary>A number of single precision.</summary>
    public static GgufValue From(float value)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteSingleLittleEndian(bytes, value);
        return new(GgufValueType.Float32, bytes);
    }

    /// <summary>A Boolean.</summary>
    public static GgufValue From(bool value) => new(GgufValueType.Boolean, new byte[] { value ? (byte)1 : (byte)0 });

    /// <summary>An array of numbers of single precision.</summary>
    public static GgufValue From(float[] values)
    {
        ArgumentNullException.ThrowIfNull(values);
        byte[] bytes = [.. ArrayHead(GgufValueType.Float32, values.Length), .. new byte[sizeof(float) * values.Length]];
        for (int i = 0; i < values.Length; i++)
        {
            BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(12 + (sizeof(float) * i)), values[i]);
        }

        return new(GgufValueType.Array, bytes);
    }

    /// <summary>An array of strings.</summary>
    public static GgufValue From(IReadOnlyList<string> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        using MemoryStream stream = new();
        stream.Write(ArrayHead(GgufValueType.String, values.Count));
        foreach (string value in values)
        {
            stream.Write(EncodeString(value));
        }

        return new(GgufValueType.Array, stream.ToArray());
    }

    /// <summary>An array of whole numbers of 32 bits, signed.</summary>
    public static GgufValue From(IReadOnlyList<int> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        byte[] bytes = [.. ArrayHead(GgufValueType.Int32, values.Count), .. new byte[4L * values.Count]];
        for (int i = 0; i < values.Count; i++)
        {
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(12 + (4 * i)), values[i]);
        }

        return new(GgufValueType.Array, bytes);
    }

    /// <summary>The text of a string.</summary>
    /// <exception cref="InvalidDataException">The value is of another type, or not UTF-8.</exception>
    public string AsString() => Type == GgufValueType.String ? Decode(encoded.Span[8..]) : throw Not("a string");

    /// <summary>The value of a whole number of any width.</summary>
    /// <exception cref="InvalidDataException">The value is of another type, or beyond 2^63 - 1.</exception>
    public long AsInteger() => Integer(Type, encoded.Span);

    /// <summary>The value of a number of any type.</summary>
    /// <exception cref="InvalidDataException">The value is not a number.</exception>
    public double AsNumber() => Type switch
    {
        GgufValueType.Float32 => BinaryPrimitives.ReadSingleLittleEndian(encoded.Span),
        GgufValueType.Float64 => BinaryPrimitives.ReadDoubleLittleEndian(encoded.Span),
        _ => AsInteger(),
    };

    /// <summary>The value of a Boolean.</summary>
    /// <exception cref="InvalidDataException">The value is of another type.</exception>
    public bool AsBoolean() => Type == GgufValueType.Boolean ? encoded.Span[0] != 0 : throw Not("a truth value");

    /// <summary>The entries of an array of strings.</summary>
    /// <exception cref="InvalidDataException">The value is of another type, or not UTF-8.</exception>
    public string[] AsStrings()
    {
        if (EntryType != GgufValueType.String)
        {
            throw Not("an array of strings");
        }

        string[] values = new string[Count];
        ReadOnlySpan<byte> rest = Entries;
        for (int i = 0; i < values.Length; i++)
        {
            int length = (int)BinaryPrimitives.ReadInt64LittleEndian(rest);
            values[i] = Decode(rest.Slice(8, length));
            rest = rest[(8 + length)..];
        }

        return values;
    }

    /// <summary>The entries of an array of numbers of any type.</summary>
    /// <exception cref="InvalidDataException">The value is of another type.</exception>
    public float[] AsNumbers()
    {
        if (EntryType is not { } type || GgufLayout.SizeOf(type) is not { } size)
        {
            throw Not("an array of numbers");
        }

        float[] values = new float[Count];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = (float)new GgufValue(type, encoded.Slice(12 + (i * size), size)).AsNumber();
        }

        return values;
    }

    /// <summary>The entries of an array of whole numbers of any width.</summary>
    /// <exception cref="InvalidDataException">The value is of another type, or an entry is beyond 32 bits.</exception>
    public int[] AsIntegers()
    {
        if (EntryType is not { } type || GgufLayout.SizeOf(type) is not { } size)
        {
            throw Not("an array of whole numbers");
        }

        int[] values = new int[Count];
        for (int i = 0; i < values.Length; i++)
        {
            long value = Integer(type, Entries[(i * size)..]);
            values[i] = value is >= int.MinValue and <= int.MaxValue ? (int)value : throw Not("numbers of 32 bits");
        }

        return values;
    }

    /// <summary>The type, and the value unless it is an array.</summary>
    public override string ToString() => Type switch
    {
        GgufValueType.Array => Throw.Invariant($"{EntryType} [{Count}]"),
        GgufValueType.String => $"String \"{AsString()}\"",
        GgufValueType.Boolean => Throw.Invariant($"Boolean {AsBoolean()}"),
        _ => Throw.Invariant($"{Type} {AsNumber()}"),
    };

    private static byte[] EncodeString(string value)
    {
        byte[] bytes = new byte[8 + Encoding.UTF8.GetByteCount(value)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, bytes.Length - 8);
        Encoding.UTF8.GetBytes(value, bytes.AsSpan(8));
        return bytes;
    }

    private static byte[] ArrayHead(GgufValueType type, long count)
    {
        byte[] bytes = new byte[12];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, (int)type);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(4), count);
        return bytes;
    }

    private static string Decode(ReadOnlySpan<byte> text) => System.Text.Unicode.Utf8.IsValid(text)
        ? Encoding.UTF8.GetString(text)
        : throw new InvalidDataException("expected UTF-8 text, found bytes that are not UTF-8; the file is damaged");

    [SuppressMessage("Style", "IDE0072", Justification = "the other types are not whole numbers")]
    private long Integer(GgufValueType type, ReadOnlySpan<byte> bytes) => type switch
    {
        GgufValueType.UInt8 => bytes[0],
        GgufValueType.Int8 => (sbyte)bytes[0],
        GgufValueType.UInt16 => BinaryPrimitives.ReadUInt16LittleEndian(bytes),
        GgufValueType.Int16 => BinaryPrimitives.ReadInt16LittleEndian(bytes),
        GgufValueType.UInt32 => BinaryPrimitives.ReadUInt32LittleEndian(bytes),
        GgufValueType.Int32 => BinaryPrimitives.ReadInt32LittleEndian(bytes),
        GgufValueType.UInt64 when BinaryPrimitives.ReadInt64LittleEndian(bytes) >= 0 => BinaryPrimitives.ReadInt64LittleEndian(bytes),
        GgufValueType.Int64 => BinaryPrimitives.ReadInt64LittleEndian(bytes),
        _ => throw Not("a whole number"),
    };

    private InvalidDataException Not(string expected) =>
        new($"expected {expected}, found {(EntryType is { } entries ? $"an array of {entries}" : Type)}");
}
