using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Checkpoints;

/// <summary>Reads the pickle of a PyTorch archive: a stack machine with dictionaries, lists, tuples, numbers, strings and tensors only.</summary>
/// <remarks>
/// A pickle is a program for a stack machine that may name any Python function and call it. Here only seven names are known, and a call of
/// one of them is a case of <see cref="Call"/>; nothing else can be called. Reading is one loop without recursion; the limit on steps
/// bounds the time, the stack and every container, and a string is never longer than the pickle.
/// Opcodes and their meaning: Lib/pickletools.py of CPython, protocols 2 to 5.
/// </remarks>
internal sealed class Unpickler
{
    /// <summary>The longest pickle that is read, in bytes; the published checkpoints take under 100,000.</summary>
    public const int MaxLength = 1 << 22;

    private const int MaxSteps = 1 << 20;
    private const int MaxGlobalLength = 256;

    private readonly byte[] pickle;
    private readonly Func<string, (long Offset, long Length)> locate;
    private readonly List<object?> stack = [];
    private readonly Stack<int> marks = new();
    private readonly Dictionary<uint, object?> memo = [];
    private int position;

    private Unpickler(byte[] pickle, Func<string, (long Offset, long Length)> locate)
    {
        this.pickle = pickle;
        this.locate = locate;
    }

    private enum Function
    {
        OrderedDict,
        RebuildTensor,
        RebuildParameter,
    }

    /// <summary>Runs a pickle to its end and returns the value on the stack.</summary>
    /// <param name="pickle">The contents of <c>data.pkl</c>.</param>
    /// <param name="locate">Where the storage of a key lies in the file, in bytes.</param>
    /// <returns>
    /// <see langword="null"/>, <see cref="bool"/>, <see cref="long"/>, <see cref="string"/>, an array (tuple), a list, a dictionary by name,
    /// or a <see cref="TensorRegion"/>. A container may contain itself.
    /// </returns>
    /// <exception cref="InvalidDataException">The pickle is damaged, too long, or contains anything but tensors and containers.</exception>
    public static object? Read(byte[] pickle, Func<string, (long Offset, long Length)> locate)
    {
        Unpickler machine = new(pickle, locate);
        for (int step = 0; step < MaxSteps; step++)
        {
            PickleOpcode opcode = (PickleOpcode)machine.Take(1)[0];
            if (opcode == PickleOpcode.Stop)
            {
                return machine.Pop();
            }

            machine.Execute(opcode);
        }

        throw new InvalidDataException(Throw.Invariant($"expected a pickle of at most {MaxSteps} steps, found more"));
    }

    private void Execute(PickleOpcode opcode)
    {
        switch (opcode)
        {
            case PickleOpcode.Proto: Take(1); break;
            case PickleOpcode.Frame: Take(8); break;
            case PickleOpcode.Mark: marks.Push(stack.Count); break;
            case PickleOpcode.None: Push(null); break;
            case PickleOpcode.NewTrue: Push(true); break;
            case PickleOpcode.NewFalse: Push(false); break;
            case PickleOpcode.BinInt: Push((long)BinaryPrimitives.ReadInt32LittleEndian(Take(4))); break;
            case PickleOpcode.BinInt1: Push((long)Take(1)[0]); break;
            case PickleOpcode.BinInt2: Push((long)BinaryPrimitives.ReadUInt16LittleEndian(Take(2))); break;
            case PickleOpcode.Long1: Push(TakeLong()); break;
            case PickleOpcode.BinUnicode: Push(TakeText(TakeUInt32())); break;
            case PickleOpcode.ShortBinUnicode: Push(TakeText(Take(1)[0])); break;
            case PickleOpcode.EmptyTuple: Push(Array.Empty<object?>()); break;
            case PickleOpcode.Tuple1: Push(PopMany(1)); break;
            case PickleOpcode.Tuple2: Push(PopMany(2)); break;
            case PickleOpcode.Tuple3: Push(PopMany(3)); break;
            case PickleOpcode.Tuple: Push(PopToMark()); break;
            case PickleOpcode.EmptyList: Push(new List<object?>()); break;
            case PickleOpcode.Append: Append(PopMany(1)); break;
            case PickleOpcode.Appends: Append(PopToMark()); break;
            case PickleOpcode.EmptyDict: Push(new Dictionary<string, object?>()); break;
            case PickleOpcode.SetItem: SetItems(PopMany(2)); break;
            case PickleOpcode.SetItems: SetItems(PopToMark()); break;
            case PickleOpcode.BinPut: memo[Take(1)[0]] = Peek(); break;
            case PickleOpcode.LongBinPut: memo[TakeUInt32()] = Peek(); break;
            case PickleOpcode.Memoize: memo[(uint)memo.Count] = Peek(); break;
            case PickleOpcode.BinGet: Push(Recall(Take(1)[0])); break;
            case PickleOpcode.LongBinGet: Push(Recall(TakeUInt32())); break;
            case PickleOpcode.Global: Push(Find(TakeLine(), TakeLine())); break;
            case PickleOpcode.StackGlobal: Push(PopMany(2) is [string module, string name] ? Find(module, name) : throw Unexpected("a module and a name")); break;
            case PickleOpcode.BinPersId: Push(FindStorage(Pop())); break;
            case PickleOpcode.Reduce: Push(PopMany(2) is [Function function, object?[] arguments] ? Call(function, arguments) : throw Unexpected("a known function and a tuple")); break;
            case PickleOpcode.Build: SetAttributes(PopMany(1)); break;
            default:
                throw new InvalidDataException(Throw.Invariant(
                    $"expected a pickle of tensors and containers, found opcode 0x{(byte)opcode:x2} at byte {position - 1}; nothing is executed"));
        }
    }

    private static object Find(string module, string name) => (module, name) switch
    {
        ("collections", "OrderedDict") => Function.OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2") => Function.RebuildTensor,
        ("torch._utils", "_rebuild_parameter") => Function.RebuildParameter,
        ("torch", "FloatStorage") => ElementType.Float32,
        ("torch", "HalfStorage") => ElementType.Float16,
        ("torch", "BFloat16Storage") => ElementType.BFloat16,
        ("torch", "LongStorage") => ElementType.Int64,
        _ => throw new InvalidDataException(
            $"expected a pickle of float32, float16, bfloat16 or int64 tensors and containers, found a call for {module}.{name}; nothing is executed"),
    };

    private object Call(Function function, object?[] arguments) => (function, arguments) switch
    {
        (Function.OrderedDict, []) => new Dictionary<string, object?>(),
        (Function.RebuildTensor, [Storage storage, long offset, object?[] shape, object?[] stride, ..]) =>
            Rebuild(storage, offset, Integers(shape), Integers(stride)),
        (Function.RebuildParameter, [TensorRegion tensor, ..]) => tensor,
        _ => throw Unexpected("arguments of a tensor"),
    };

    /// <summary>The storage that <c>('storage', type, key, location, elements)</c> names.</summary>
    private Storage FindStorage(object? id)
    {
        if (id is not object?[] parts || parts is not ["storage", ElementType type, string key, string, long count])
        {
            throw Unexpected("a storage");
        }

        (long offset, long length) = locate(key);
        return count >= 0 && count == length / type.Size() && length % type.Size() == 0
            ? new Storage(key, type, offset, length)
            : throw new InvalidDataException(Throw.Invariant($"storage {key}: expected {count} elements of {type}, found {length} bytes"));
    }

    private static TensorRegion Rebuild(Storage storage, long offset, long[] shape, long[] stride)
    {
        string name = "tensor of storage " + storage.Key;
        int size = storage.Type.Size();
        if (offset < 0 || offset > storage.Length / size)
        {
            throw new InvalidDataException(Throw.Invariant($"{name}: expected an offset within {storage.Length / size} elements, found {offset}"));
        }

        TensorRegion region = TensorRegion.Create(name, storage.Type, shape, storage.Offset + (offset * size));
        if (region.Length > storage.Length - (offset * size))
        {
            throw new InvalidDataException(Throw.Invariant($"{name}: expected at most {storage.Length} bytes, found {region.Length} from element {offset}"));
        }

        return region.Length == 0 || IsRowMajor(shape, stride)
            ? region
            : throw new InvalidDataException($"{name}: expected row-major elements, found other strides; save the tensor after .contiguous()");
    }

    private static bool IsRowMajor(long[] shape, long[] stride)
    {
        if (stride.Length != shape.Length)
        {
            return false;
        }

        long expected = 1;
        for (int i = shape.Length - 1; i >= 0; i--)
        {
            // The stride of a dimension of length 1 is never used, and PyTorch stores an arbitrary value there.
            if (shape[i] != 1 && stride[i] != expected)
            {
                return false;
            }

            expected *= shape[i];
        }

        return true;
    }

    private long[] Integers(object?[] values) =>
        values.Length <= TensorRegion.MaxRank && Array.TrueForAll(values, v => v is long)
            ? Array.ConvertAll(values, v => (long)v!)
            : throw Unexpected("a tuple of a few integers");

    private void Append(object?[] values)
    {
        if (Peek() is not List<object?> list)
        {
            throw Unexpected("a list");
        }

        list.AddRange(values);
    }

    private void SetItems(object?[] pairs)
    {
        if (Peek() is not Dictionary<string, object?> dictionary || pairs.Length % 2 != 0)
        {
            throw Unexpected("a dictionary and pairs");
        }

        for (int i = 0; i < pairs.Length; i += 2)
        {
            if (pairs[i] is not string key || !dictionary.TryAdd(key, pairs[i + 1]))
            {
                throw Unexpected("names, each once");
            }
        }
    }

    /// <summary>Attributes, such as the <c>_metadata</c> of a state dictionary, do not concern tensors: they are read and ignored.</summary>
    private void SetAttributes(object?[] attributes)
    {
        if (Peek() is not Dictionary<string, object?> || attributes is not [Dictionary<string, object?>])
        {
            throw Unexpected("attributes of a dictionary");
        }
    }

    private void Push(object? value) => stack.Add(value);

    private object? Pop() => PopMany(1)[0];

    private object? Peek() => stack.Count > Floor ? stack[^1] : throw Unexpected("a value");

    private int Floor => marks.TryPeek(out int mark) ? mark : 0;

    private object?[] PopMany(int count)
    {
        if (stack.Count - Floor < count)
        {
            throw Unexpected("more values");
        }

        object?[] values = CollectionsMarshal.AsSpan(stack)[^count..].ToArray();
        stack.RemoveRange(stack.Count - count, count);
        return values;
    }

    private object?[] PopToMark()
    {
        if (!marks.TryPop(out int mark))
        {
            throw Unexpected("a mark");
        }

        object?[] values = CollectionsMarshal.AsSpan(stack)[mark..].ToArray();
        stack.RemoveRange(mark, stack.Count - mark);
        return values;
    }

    private object? Recall(uint key) => memo.TryGetValue(key, out object? value) ? value : throw Unexpected("a remembered value");

    private ReadOnlySpan<byte> Take(uint count)
    {
        if (count > pickle.Length - position)
        {
            throw new InvalidDataException(Throw.Invariant($"expected {count} more bytes of pickle at byte {position}, found {pickle.Length - position}"));
        }

        ReadOnlySpan<byte> taken = pickle.AsSpan(position, (int)count);
        position += (int)count;
        return taken;
    }

    private uint TakeUInt32() => BinaryPrimitives.ReadUInt32LittleEndian(Take(4));

    private long TakeLong()
    {
        ReadOnlySpan<byte> bytes = Take(Take(1)[0]);
        long value = bytes.IsEmpty || bytes[^1] < 0x80 ? 0 : -1;
        for (int i = bytes.Length - 1; i >= 0; i--)
        {
            value = (value << 8) | bytes[i];
        }

        return bytes.Length <= sizeof(long) ? value : throw Unexpected("an integer of at most 64 bits");
    }

    private string TakeText(uint length)
    {
        ReadOnlySpan<byte> text = Take(length);
        UntrustedFile.RequireUtf8(text);
        return Encoding.UTF8.GetString(text);
    }

    private string TakeLine()
    {
        int length = pickle.AsSpan(position, Math.Min(MaxGlobalLength, pickle.Length - position)).IndexOf((byte)'\n');
        if (length < 0)
        {
            throw Unexpected("a short line");
        }

        string line = TakeText((uint)length);
        position++;
        return line;
    }

    private InvalidDataException Unexpected(string expected) =>
        new(Throw.Invariant($"expected {expected} before byte {position} of the pickle, found other values; the file is damaged"));

    private sealed record Storage(string Key, ElementType Type, long Offset, long Length);
}
