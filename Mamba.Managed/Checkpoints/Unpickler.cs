using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Unicode;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Checkpoints;

/// <summary>Reads the pickle of a PyTorch archive: a stack machine with dictionaries, lists, tuples, plain values and tensors only.</summary>
/// <remarks>
/// A pickle is a program for a stack machine that may name any Python function and call it. Here only the names of <see cref="PickleGlobal"/> are
/// known, and a call of one of them is a case of <see cref="Call"/>; nothing else can be called. Reading is one loop without recursion; the limit
/// on steps bounds the time, the stack and every container, and a string is never longer than the pickle. Values that do not concern weights, such
/// as the numbers of an optimizer, are passed over: one object stands for all of them.
/// Opcodes and their meaning: Lib/pickletools.py of CPython, protocols 2 to 5.
/// </remarks>
internal sealed class Unpickler
{
    /// <summary>The longest pickle that is read, in bytes; the published checkpoints take under 100,000.</summary>
    public const int MaxLength = 1 << 22;

    private const int MaxSteps = 1 << 20;
    private const int MaxGlobalLength = 256;

    private static readonly object plain = new();

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

    /// <summary>Runs a pickle to its end and returns the value on the stack.</summary>
    /// <param name="pickle">The contents of <c>data.pkl</c>.</param>
    /// <param name="locate">Where the storage of a key lies in the file, in bytes.</param>
    /// <returns>
    /// <see langword="null"/>, <see cref="bool"/>, <see cref="long"/>, <see cref="string"/>, an array (tuple), a list, a
    /// <see cref="PickledDictionary"/>, a <see cref="PickledTensor"/>, or an object without meaning. A container may contain itself.
    /// </returns>
    /// <exception cref="InvalidDataException">The pickle contradicts itself, is too long, or contains anything but tensors, containers and plain values.</exception>
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

        throw new InvalidDataException(Throw.Invariant($"expected a pickle of at most {MaxSteps} steps, found more; save the state_dict alone"));
    }

    private void Execute(PickleOpcode opcode)
    {
        switch (opcode)
        {
            case PickleOpcode.Proto: Take(1); break;
            case PickleOpcode.Frame: Take(8); break;
            case PickleOpcode.Mark: marks.Push(stack.Count); break;
            case PickleOpcode.Pop: Pop(); break;
            case PickleOpcode.PopMark: PopToMark(); break;
            case PickleOpcode.Dup: Push(Peek()); break;
            case PickleOpcode.EmptyTuple: Push(Array.Empty<object?>()); break;
            case PickleOpcode.Tuple1: Push(PopMany(1)); break;
            case PickleOpcode.Tuple2: Push(PopMany(2)); break;
            case PickleOpcode.Tuple3: Push(PopMany(3)); break;
            case PickleOpcode.Tuple: Push(PopToMark()); break;
            case PickleOpcode.EmptyList: Push(new List<object?>()); break;
            case PickleOpcode.List: Push(new List<object?>(PopToMark())); break;
            case PickleOpcode.Append: Append(PopMany(1)); break;
            case PickleOpcode.Appends: Append(PopToMark()); break;
            case PickleOpcode.EmptyDict: Push(new PickledDictionary()); break;
            case PickleOpcode.Dict: PushDictionary(PopToMark()); break;
            case PickleOpcode.SetItem: SetItems(PopMany(2)); break;
            case PickleOpcode.SetItems: SetItems(PopToMark()); break;
            case PickleOpcode.EmptySet: Push(plain); break;
            case PickleOpcode.AddItems: PopToMark(); break;
            case PickleOpcode.FrozenSet: PopToMark(); Push(plain); break;
            case PickleOpcode.BinPut: memo[Take(1)[0]] = Peek(); break;
            case PickleOpcode.LongBinPut: memo[TakeUInt32()] = Peek(); break;
            case PickleOpcode.Memoize: memo[(uint)memo.Count] = Peek(); break;
            case PickleOpcode.BinGet: Push(Recall(Take(1)[0])); break;
            case PickleOpcode.LongBinGet: Push(Recall(TakeUInt32())); break;
            case PickleOpcode.Global: Push(PickleGlobal.Find(TakeLine(), TakeLine())); break;
            case PickleOpcode.StackGlobal: Push(PopMany(2) is [string module, string name] ? PickleGlobal.Find(module, name) : throw Unexpected("a module and a name")); break;
            case PickleOpcode.BinPersId: Push(FindStorage(Pop())); break;
            case PickleOpcode.Reduce or PickleOpcode.NewObj: Call(PopMany(2)); break;
            case PickleOpcode.NewObjEx: Call(PopMany(3)[..2]); break;
            case PickleOpcode.Build: SetAttributes(); break;
            default: PushScalar(opcode); break;
        }
    }

    private void PushScalar(PickleOpcode opcode)
    {
        switch (opcode)
        {
            case PickleOpcode.None: Push(null); break;
            case PickleOpcode.NewTrue: Push(true); break;
            case PickleOpcode.NewFalse: Push(false); break;
            case PickleOpcode.BinInt: Push((long)BinaryPrimitives.ReadInt32LittleEndian(Take(4))); break;
            case PickleOpcode.BinInt1: Push((long)Take(1)[0]); break;
            case PickleOpcode.BinInt2: Push((long)BinaryPrimitives.ReadUInt16LittleEndian(Take(2))); break;
            case PickleOpcode.Long1: Push(TakeLong(Take(1)[0])); break;
            case PickleOpcode.Long4: Push(TakeLong(TakeUInt32())); break;
            case PickleOpcode.BinFloat: Take(8); Push(plain); break;
            case PickleOpcode.BinUnicode: Push(TakeText(TakeUInt32())); break;
            case PickleOpcode.ShortBinUnicode: Push(TakeText(Take(1)[0])); break;
            case PickleOpcode.BinUnicode8: Push(TakeText(TakeLength())); break;
            case PickleOpcode.BinString: Push(TakeBytes(TakeUInt32())); break;
            case PickleOpcode.ShortBinString: Push(TakeBytes(Take(1)[0])); break;
            case PickleOpcode.BinBytes: Take(TakeUInt32()); Push(plain); break;
            case PickleOpcode.ShortBinBytes: Take(Take(1)[0]); Push(plain); break;
            case PickleOpcode.BinBytes8 or PickleOpcode.ByteArray8: Take(TakeLength()); Push(plain); break;
            default:
                throw new InvalidDataException(Throw.Invariant(
                    $"expected a pickle of tensors, containers and plain values as torch.save writes, found opcode 0x{(byte)opcode:x2} at byte {position - 1}; nothing is executed"));
        }
    }

    private void Call(object?[] call) => Push(call switch
    {
        [PickleFunction.Dictionary, object?[]] => new PickledDictionary(),
        [PickleFunction.Value, object?[]] => plain,
        [PickleFunction.OtherTensor, object?[]] => PickledTensor.NotDense,
        [PickleFunction.TensorOfType, object?[] arguments] when arguments is [PickleFunction.Tensor or PickleFunction.Parameter, _, object?[] inner, ..] =>
            ToTensor((PickleFunction)arguments[0]!, inner),
        [PickleFunction function and (PickleFunction.Tensor or PickleFunction.Parameter), object?[] arguments] => ToTensor(function, arguments),
        _ => throw Unexpected("a known function and a tuple"),
    });

    private PickledTensor ToTensor(PickleFunction function, object?[] arguments) => (function, arguments) switch
    {
        (PickleFunction.Tensor, [PickledStorage storage, long offset, object?[] shape, object?[] stride, ..]) => PickledTensor.Over(
            storage, offset, Integers(shape), Integers(stride), arguments.OfType<OtherElements>().FirstOrDefault()),
        (PickleFunction.Parameter, [PickledTensor tensor, ..]) => tensor,
        _ => throw Unexpected("arguments of a tensor"),
    };

    /// <summary>The storage that <c>('storage', type, key, location, elements)</c> names.</summary>
    private PickledStorage FindStorage(object? id)
    {
        if (id is not object?[] parts || parts is not ["storage", { } type, string key, string, long count])
        {
            throw Unexpected("a storage");
        }

        if (type is OtherElements other)
        {
            return new(key, null, other.Name, 0, 0);
        }

        if (type is not ElementType elements)
        {
            throw Unexpected("the type of a storage");
        }

        (long offset, long length) = locate(key);
        return count >= 0 && count == length / elements.Size() && length % elements.Size() == 0
            ? new(key, elements, elements.ToString(), offset, length)
            : throw new InvalidDataException(Throw.Invariant($"storage {Shortened.Text(key)}: expected {count} elements of {elements}, found {length} bytes"));
    }

    private long[] Integers(object?[] values) =>
        values.Length <= TensorRegion.MaxRank && Array.TrueForAll(values, v => v is long)
            ? Array.ConvertAll(values, v => (long)v!)
            : throw Unexpected("a tuple of a few integers");

    private void Append(object?[] values)
    {
        switch (Peek())
        {
            case List<object?> list: list.AddRange(values); break;
            case var other when other == plain: break;
            default: throw Unexpected("a list");
        }
    }

    private void PushDictionary(object?[] pairs)
    {
        Push(new PickledDictionary());
        SetItems(pairs);
    }

    private void SetItems(object?[] pairs)
    {
        if (Peek() is not { } target || (target != plain && target is not PickledDictionary) || pairs.Length % 2 != 0)
        {
            throw Unexpected("a dictionary and pairs");
        }

        for (int i = 0; target is PickledDictionary dictionary && i < pairs.Length; i += 2)
        {
            if (!dictionary.TryAdd(pairs[i], pairs[i + 1]))
            {
                throw Unexpected("names, each once");
            }
        }
    }

    /// <summary>Attributes, such as the <c>_metadata</c> of a state dictionary, do not concern tensors: they are read and ignored.</summary>
    private void SetAttributes()
    {
        Pop();
        if (Peek() is not (PickledDictionary or PickledTensor or List<object?>) and var target && target != plain)
        {
            throw Unexpected("attributes of an object");
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

    // A text or an array in memory is shorter than 2^31 bytes, whatever a length of 8 bytes says.
    private uint TakeLength() => (uint)Math.Min(BinaryPrimitives.ReadUInt64LittleEndian(Take(8)), int.MaxValue);

    // A seed may have more than 64 bits.
    private object TakeLong(uint length)
    {
        ReadOnlySpan<byte> bytes = Take(length);
        if (length > sizeof(long))
        {
            return plain;
        }

        long value = bytes.IsEmpty || bytes[^1] < 0x80 ? 0 : -1;
        for (int i = bytes.Length - 1; i >= 0; i--)
        {
            value = (value << 8) | bytes[i];
        }

        return value;
    }

    // A text of Python 2, or its bytes.
    private object TakeBytes(uint length)
    {
        ReadOnlySpan<byte> bytes = Take(length);
        return Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : plain;
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
        new(Throw.Invariant($"expected {expected} before byte {position} of the pickle, found other values; save the state_dict again with torch.save"));
}
