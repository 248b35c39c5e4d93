using System.Buffers.Binary;
using System.Text;
using System.Text.Unicode;
using Mamba.Managed.Tensors;
using Mamba.Managed.Tensors.Blocks;

namespace Mamba.Managed.Checkpoints.Gguf;

/// <summary>Where a tensor lies in a GGUF file.</summary>
/// <param name="Name">The name in the file.</param>
/// <param name="Type">How the elements are stored.</param>
/// <param name="Shape">Dimensions, slowest first.</param>
/// <param name="Offset">The first byte, from the file's start.</param>
/// <param name="Length">Length in bytes.</param>
internal sealed record GgufTensor(string Name, ElementType Type, int[] Shape, long Offset, long Length);

/// <summary>Reads and checks what comes before the tensors of a GGUF file.</summary>
/// <remarks>Every number is checked against the remaining bytes before it is used, so that a file costs at most its own size in memory, plus a constant.</remarks>
internal sealed class GgufHeader
{
    /// <summary>The most tensors and the most values: an entry may be short in the file but costs a few hundred bytes of memory.</summary>
    public const int MostEntries = 1 << 14;

    private const int LongestName = 256;
    private const int MostDimensions = 4;
    private const int DeepestArray = 4;

    private readonly TensorBuffer head;
    private readonly List<GgufTensor> tensors = [];
    private int at;
    private long end;

    private GgufHeader(TensorBuffer head) => this.head = head;

    /// <summary>2 or 3.</summary>
    public int Version { get; private set; }

    /// <summary>The metadata; its values are copies.</summary>
    public GgufMetadata Metadata { get; } = new();

    /// <summary>The tensors in the order of the file.</summary>
    public IReadOnlyList<GgufTensor> Tensors => tensors;

    /// <summary>Tensors begin at multiples of this.</summary>
    public int Alignment { get; private set; }

    /// <summary>Reads a header.</summary>
    /// <param name="head">The beginning of the file, up to the longest possible header: less than 2 GB.</param>
    /// <param name="file">The whole file.</param>
    /// <exception cref="InvalidDataException">It is not a GGUF header, or it contradicts itself or the file's length.</exception>
    public static GgufHeader Read(TensorBuffer head, MappedFile file)
    {
        using TensorBuffer.Lease lease = head.Acquire();
        GgufHeader header = new(head);
        header.ReadAll(file.Length);
        RequireEnd(file, GgufLayout.Align(header.end, header.Alignment));
        return header;
    }

    // A writer pads the last tensor to the alignment and nothing more; what comes after is of another file.
    private static void RequireEnd(MappedFile file, long end)
    {
        if (end >= file.Length)
        {
            return;
        }

        using TensorBuffer rest = file.Region(end, Math.Min(4, file.Length - end));
        using TensorBuffer.Lease lease = rest.Acquire();
        throw new InvalidDataException(rest.Span<byte>(0, (int)rest.Length).SequenceEqual("GGUF"u8)
            ? Throw.Invariant($"expected one GGUF file, found another after byte {end}: parts were put together with cat; keep the parts as files of their own and open the first")
            : Throw.Invariant($"expected the file to end with its tensors at byte {end}, found {file.Length - end} bytes more; download it again"));
    }

    private ReadOnlySpan<byte> Bytes => head.Span<byte>(0, (int)head.Length);

    private void ReadAll(long fileLength)
    {
        uint magic = head.Length < 4 ? 0 : UInt32();
        if (magic != GgufLayout.Magic)
        {
            throw new InvalidDataException(Throw.Invariant($"expected a file that begins with GGUF, found {magic:x8}; is this a GGUF file?"));
        }

        uint version = UInt32();
        if (version is not (2 or 3))
        {
            string why = BinaryPrimitives.ReverseEndianness(version) is 2 or 3 ? "the file is big endian" : "convert it with a newer writer";
            throw new InvalidDataException(Throw.Invariant($"version: expected 2 or 3, found {version}; {why}"));
        }

        Version = (int)version;
        int tensorCount = Number("tensors", MostEntries);
        int valueCount = Number("metadata values", MostEntries);
        for (int i = 0; i < valueCount; i++)
        {
            string key = Name("key");
            if (!Metadata.TryAdd(key, Value(key)))
            {
                throw new InvalidDataException($"{key}: expected one value, found two");
            }
        }

        Alignment = Metadata.GetInteger(GgufLayout.AlignmentKey, GgufLayout.DefaultAlignment);
        if (Alignment is < 8 or > 1 << 20 || Alignment % 8 != 0)
        {
            throw new InvalidDataException(Throw.Invariant($"{GgufLayout.AlignmentKey}: expected a multiple of 8 up to 2^20, found {Alignment}"));
        }

        for (int i = 0; i < tensorCount; i++)
        {
            tensors.Add(Tensor());
        }

        Place(fileLength);
    }

    private GgufTensor Tensor()
    {
        string name = Name("tensor name");
        uint rank = UInt32();
        if (rank is 0 or > MostDimensions)
        {
            throw new InvalidDataException(Throw.Invariant($"{name}: expected 1 to {MostDimensions} dimensions, found {rank}"));
        }

        int[] shape = new int[rank];
        long count = 1;
        for (int i = shape.Length - 1; i >= 0; i--)
        {
            ulong dimension = UInt64();
            if (dimension is 0 or > int.MaxValue || (count *= (long)dimension) > int.MaxValue)
            {
                throw new InvalidDataException(Throw.Invariant($"{name}: expected dimensions of 1 to {int.MaxValue} and no more elements in all, found a dimension of {dimension}"));
            }

            shape[i] = (int)dimension;
        }

        uint number = UInt32();
        ElementType type = GgufLayout.TypeOf(number)
            ?? throw new InvalidDataException(Throw.Invariant($"{name}: expected F32, F16, BF16, I64, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1 or Q2_K to Q6_K, found ggml type {number}; quantize the model to one of these"));
        if (shape[^1] % type.BlockLength() != 0)
        {
            throw new InvalidDataException(Throw.Invariant($"{name}: expected rows of a multiple of {type.BlockLength()} elements for {type}, found {shape[^1]}"));
        }

        ulong offset = UInt64();
        return offset <= long.MaxValue && offset % (ulong)Alignment == 0
            ? new GgufTensor(name, type, shape, (long)offset, type.ByteLength(count))
            : throw new InvalidDataException(Throw.Invariant($"{name}: expected an offset that is a multiple of {Alignment}, found {offset}"));
    }

    // Offsets are relative to the start of the data, which is known only after all entries are read.
    private void Place(long fileLength)
    {
        long start = GgufLayout.Align(at, Alignment);
        HashSet<string> names = new(StringComparer.Ordinal);
        for (int i = 0; i < tensors.Count; i++)
        {
            GgufTensor tensor = tensors[i];
            if (!names.Add(tensor.Name))
            {
                throw new InvalidDataException($"{tensor.Name}: expected one tensor of this name, found two");
            }

            if (tensor.Offset > fileLength - start - tensor.Length)
            {
                throw new InvalidDataException(Throw.Invariant($"{tensor.Name}: expected {tensor.Length} bytes at {start} + {tensor.Offset}, found a file of {fileLength}; is the download complete?"));
            }

            tensors[i] = tensor with { Offset = start + tensor.Offset };
        }

        end = start;
        foreach (GgufTensor tensor in tensors.OrderBy(t => t.Offset))
        {
            if (tensor.Offset < end)
            {
                throw new InvalidDataException(Throw.Invariant($"{tensor.Name}: expected to begin at {end} or later, where the tensor before it ends, found {tensor.Offset}"));
            }

            end = tensor.Offset + tensor.Length;
        }
    }

    private GgufValue Value(string key)
    {
        GgufValueType type = (GgufValueType)UInt32();
        int first = at;
        Skip(key, type, 0);
        return new GgufValue(type, Bytes[first..at].ToArray());
    }

    private void Skip(string key, GgufValueType type, int depth)
    {
        if (GgufLayout.SizeOf(type) is { } size)
        {
            Take(size);
        }
        else if (type == GgufValueType.String)
        {
            Take(Number("bytes of text", (int)head.Length - at - 8, key));
        }
        else if (type == GgufValueType.Array && depth < DeepestArray)
        {
            SkipArray(key, depth);
        }
        else
        {
            throw new InvalidDataException(Throw.Invariant($"{key}: expected a value type from 0 to 12 and arrays at most {DeepestArray} deep, found {(int)type} at depth {depth}"));
        }
    }

    private void SkipArray(string key, int depth)
    {
        GgufValueType type = (GgufValueType)UInt32();
        int least = GgufLayout.SizeOf(type) ?? 8;
        int count = Number("entries", Math.Max((int)head.Length - at - 8, 0) / least, key);
        if (GgufLayout.SizeOf(type) is { } size)
        {
            Take(count * size);
            return;
        }

        if (type == GgufValueType.String)
        {
            SkipStrings(key, count);
            return;
        }

        for (int i = 0; i < count; i++)
        {
            Skip(key, type, depth + 1);
        }
    }

    // A vocabulary has a hundred thousand strings, so the loop uses one span instead of a checked Take for each.
    private void SkipStrings(string key, int count)
    {
        ReadOnlySpan<byte> rest = Bytes[at..];
        for (int i = 0; i < count; i++)
        {
            long room = rest.Length - 8L;
            ulong length = room < 0 ? 0 : BinaryPrimitives.ReadUInt64LittleEndian(rest);
            Throw.Unless(
                room >= 0 && length <= (ulong)room,
                $"{key}: expected {count} texts, found room for {i} and no more; the file is damaged or incomplete");
            rest = rest[(8 + (int)length)..];
        }

        at = (int)head.Length - rest.Length;
    }

    private string Name(string what)
    {
        ReadOnlySpan<byte> text = Take(Number($"bytes of a {what}", Math.Min(LongestName, (int)head.Length - at - 8)));
        return text.Length > 0 && Utf8.IsValid(text)
            ? Encoding.UTF8.GetString(text)
            : throw new InvalidDataException(Throw.Invariant($"expected a {what} of 1 to {LongestName} bytes of UTF-8 before byte {at}, found none; the file is damaged"));
    }

    // A count or a length of 8 bytes.
    private int Number(string what, long most, string? key = null)
    {
        ulong number = UInt64();
        Throw.Unless(
            number <= (ulong)Math.Max(most, 0),
            $"{key}{(key is null ? "" : ": ")}{what}: expected at most {Math.Max(most, 0)}, found {number}; the file is damaged or incomplete");
        return (int)number;
    }

    private uint UInt32() => BinaryPrimitives.ReadUInt32LittleEndian(Take(4));

    private ulong UInt64() => BinaryPrimitives.ReadUInt64LittleEndian(Take(8));

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > head.Length - at)
        {
            throw new InvalidDataException(Throw.Invariant($"expected {count} more bytes of the header at byte {at}, found {head.Length - at}; is the download complete?"));
        }

        at += count;
        return Bytes.Slice(at - count, count);
    }
}
