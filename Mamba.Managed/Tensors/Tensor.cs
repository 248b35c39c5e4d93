using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Mamba.Managed.Tensors.Blocks;

namespace Mamba.Managed.Tensors;

/// <summary>An element type, a shape and the bytes of the elements in row-major order.</summary>
/// <remarks>
/// A tensor is a reference: two tensors are equal only when they are the same object, so that a model whose embedding and head share
/// one tensor holds it once. The elements of a tensor over a mapped file are read-only.
/// <para>
/// Every public member copies: nothing it returns points into the tensor's memory. That memory belongs to its creator: the tensors of a
/// <c>ModelSource</c> to the source, those of a model to the model, which can be disposed; memory that is not disposed is freed once it is
/// unreachable. After disposal every member that reads or writes elements throws <see cref="ObjectDisposedException"/>; a copy in progress on
/// another thread is completed first.
/// </para>
/// </remarks>
public sealed class Tensor
{
    // A span holds fewer bytes than a tensor may.
    private const int CompareLength = 1 << 28;

    private readonly int[] shape;

    /// <summary>A view of <paramref name="buffer"/>.</summary>
    /// <param name="type">How the elements are stored.</param>
    /// <param name="shape">Dimensions, slowest first; empty for a scalar. The last is a multiple of the type's block length.</param>
    /// <param name="buffer">The owner of the bytes.</param>
    /// <param name="offset">Where the first element lies in the buffer, in bytes.</param>
    /// <exception cref="ArgumentException">The elements do not lie within the buffer, or the rows are not whole blocks.</exception>
    internal Tensor(ElementType type, ReadOnlySpan<int> shape, TensorBuffer buffer, long offset)
    {
        ArgumentNullException.ThrowIfNull(buffer);
        Count = CountOf(type, shape);
        if (offset < 0 || offset > buffer.Length - type.ByteLength(Count))
        {
            Throw.Argument(Throw.Invariant($"{type.ByteLength(Count)} bytes at {offset} do not lie in a buffer of {buffer.Length}"), nameof(offset));
        }

        this.shape = shape.ToArray();
        Type = type;
        Buffer = buffer;
        Offset = offset;
    }

    /// <summary>How the elements are stored.</summary>
    public ElementType Type { get; }

    /// <summary>Dimensions, slowest first.</summary>
    public ReadOnlySpan<int> Shape => shape;

    /// <summary>The number of elements.</summary>
    public int Count { get; }

    /// <summary>Length of the elements in bytes.</summary>
    public long ByteLength => Type.ByteLength(Count);

    /// <summary>The owner of the bytes.</summary>
    internal TensorBuffer Buffer { get; }

    /// <summary>Where the first element lies in <see cref="Buffer"/>, in bytes.</summary>
    internal long Offset { get; }

    /// <summary>The stored bytes, to be used under a lease of <see cref="Buffer"/>.</summary>
    /// <exception cref="OverflowException">There are more bytes than a span can hold (2^31 - 1).</exception>
    internal ReadOnlySpan<byte> Bytes => Buffer.Span<byte>(Offset, checked((int)ByteLength));

    /// <summary>The elements of a <see cref="ElementType.Float32"/> tensor, to be used under a lease of <see cref="Buffer"/>; not to be written where the buffer is read-only.</summary>
    /// <exception cref="InvalidOperationException">The tensor holds another type.</exception>
    internal Span<float> Floats
    {
        get
        {
            RequireFloat32();
            return Buffer.Span<float>(Offset, Count);
        }
    }

    /// <summary>A new zero-filled tensor in memory of its own.</summary>
    public static Tensor Zeros(ElementType type, params ReadOnlySpan<int> shape) =>
        new(type, shape, TensorBuffer.Allocate(type.ByteLength(CountOf(type, shape))), 0);

    /// <summary>A new Float32 tensor with a copy of <paramref name="values"/>.</summary>
    /// <exception cref="ArgumentException">The number of values differs from the number of elements of the shape.</exception>
    public static Tensor FromFloats(ReadOnlySpan<float> values, params ReadOnlySpan<int> shape)
    {
        Throw.UnlessLength(CountOf(ElementType.Float32, shape), values.Length);
        Tensor tensor = Zeros(ElementType.Float32, shape);
        tensor.CopyFrom(values);
        return tensor;
    }

    /// <summary>A new tensor with a copy of elements as they are stored.</summary>
    /// <param name="type">How they are stored.</param>
    /// <param name="bytes">Row-major, little-endian; for the quantized types ggml's blocks.</param>
    /// <param name="shape">Dimensions, slowest first.</param>
    /// <exception cref="ArgumentException">The number of bytes is not that of type and shape, or the rows are not whole blocks.</exception>
    public static Tensor FromBytes(ElementType type, ReadOnlySpan<byte> bytes, params ReadOnlySpan<int> shape)
    {
        long expected = type.ByteLength(CountOf(type, shape));
        if (expected != bytes.Length)
        {
            Throw.Argument(Throw.Invariant($"expected {expected} bytes of {type}, found {bytes.Length}; give as many as type and shape ask for"), nameof(bytes));
        }

        Tensor tensor = Zeros(type, shape);
        using TensorBuffer.Lease lease = tensor.Buffer.Acquire();
        bytes.CopyTo(tensor.Buffer.Span<byte>(0, bytes.Length));
        return tensor;
    }

    /// <summary>This tensor when it holds Float32 already, otherwise a converted copy.</summary>
    /// <remarks>The conversion is exact except for Q6_K, whose products can need 25 bits, and Q4_1, Q5_1, Q2_K, Q4_K and Q5_K, whose sums round once.</remarks>
    /// <exception cref="InvalidOperationException">The tensor holds integers.</exception>
    public Tensor ToFloat32()
    {
        if (Type == ElementType.Float32)
        {
            return this;
        }

        Tensor converted = Zeros(ElementType.Float32, shape);
        using TensorBuffer.Lease lease = converted.Buffer.Acquire();
        CopyTo(converted.Floats);
        return converted;
    }

    /// <summary>A copy of every element, converted to single precision.</summary>
    /// <returns>[Count]</returns>
    /// <exception cref="InvalidOperationException">The tensor holds integers.</exception>
    public float[] ToArray()
    {
        float[] values = new float[Count];
        CopyTo(values);
        return values;
    }

    /// <summary>Writes every element, converted to single precision, to <paramref name="destination"/>.</summary>
    /// <param name="destination">[Count]</param>
    /// <exception cref="InvalidOperationException">The tensor holds integers.</exception>
    public void CopyTo(Span<float> destination)
    {
        Throw.UnlessLength(Count, destination.Length);
        CopyTo(0, destination);
    }

    /// <summary>Overwrites every element.</summary>
    /// <param name="source">[Count]</param>
    /// <exception cref="InvalidOperationException">The tensor holds another type than <see cref="ElementType.Float32"/>, or lies in a mapped file.</exception>
    public void CopyFrom(ReadOnlySpan<float> source)
    {
        Throw.UnlessLength(Count, source.Length);
        RequireFloat32();
        if (Buffer.IsReadOnly)
        {
            throw new InvalidOperationException($"expected a tensor in memory of its own, found {this} in a mapped file, which is read-only; copy it with Tensor.FromFloats");
        }

        using TensorBuffer.Lease lease = Buffer.Acquire();
        source.CopyTo(Floats);
    }

    /// <summary>Copies a range of the stored bytes, as they are, so that weights can be moved to another device piece by piece.</summary>
    /// <param name="offset">The first byte of the tensor to copy.</param>
    /// <param name="destination">Its length is the number of bytes copied.</param>
    /// <exception cref="ArgumentOutOfRangeException">The bytes do not lie within <see cref="ByteLength"/>.</exception>
    public void CopyBytesTo(long offset, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, ByteLength - destination.Length);
        using TensorBuffer.Lease lease = Buffer.Acquire();
        Buffer.Span<byte>(Offset + offset, destination.Length).CopyTo(destination);
    }

    /// <summary>Writes the stored bytes, as they are.</summary>
    internal void WriteTo(Stream stream)
    {
        const int Most = 1 << 22;
        using TensorBuffer.Lease lease = Buffer.Acquire();
        for (long at = 0; at < ByteLength; at += Most)
        {
            stream.Write(Buffer.Span<byte>(Offset + at, (int)Math.Min(Most, ByteLength - at)));
        }
    }

    /// <summary>Writes the elements from <paramref name="first"/> on, converted to single precision.</summary>
    /// <param name="first">The first element: the first of a block.</param>
    /// <param name="destination">Its length is the number of elements written: whole blocks.</param>
    /// <exception cref="ArgumentOutOfRangeException">The elements do not lie within <see cref="Count"/>.</exception>
    /// <exception cref="ArgumentException">They are not whole blocks.</exception>
    /// <exception cref="InvalidOperationException">The tensor holds integers.</exception>
    public void CopyTo(int first, Span<float> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(first, Count - destination.Length);
        int block = Type.BlockLength();
        if (first % block != 0 || destination.Length % block != 0)
        {
            Throw.Argument(Throw.Invariant($"expected whole blocks of {block}, found {destination.Length} elements from {first} on"), nameof(destination));
        }

        using TensorBuffer.Lease lease = Buffer.Acquire();
        if (Type == ElementType.Float32)
        {
            Floats.Slice(first, destination.Length).CopyTo(destination);
            return;
        }

        // A tensor may have more bytes than a span can hold.
        const int Most = 1 << 28;
        for (; destination.Length > Most; first += Most, destination = destination[Most..])
        {
            CopyTo(first, destination[..Most]);
        }

        ReadOnlySpan<byte> bytes = Buffer.Span<byte>(Offset + Type.ByteLength(first), (int)Type.ByteLength(destination.Length));
        switch (Type)
        {
            case ElementType.Float16:
                TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(bytes), destination);
                break;
            case ElementType.BFloat16:
                ReadOnlySpan<ushort> halves = MemoryMarshal.Cast<byte, ushort>(bytes);
                for (int i = 0; i < halves.Length; i++)
                {
                    destination[i] = BitConverter.UInt32BitsToSingle((uint)halves[i] << 16);
                }

                break;
            case ElementType.Int64:
                throw new InvalidOperationException($"expected a floating-point tensor, found {this}");
            default:
                BlockFormats.Dequantize(Type, bytes, destination);
                break;
        }
    }

    /// <summary>The same elements under other dimensions.</summary>
    public Tensor Reshape(params ReadOnlySpan<int> dimensions)
    {
        Throw.UnlessLength(Count, CountOf(Type, dimensions));
        return new Tensor(Type, dimensions, Buffer, Offset);
    }

    /// <summary>Whether the shape is exactly <paramref name="dimensions"/>.</summary>
    public bool HasShape(params ReadOnlySpan<int> dimensions) => dimensions.SequenceEqual(shape);

    /// <summary>Whether another tensor has the same type, the same shape and the same bits.</summary>
    internal bool HasBytesOf(Tensor other)
    {
        if (Type != other.Type || !HasShape(other.Shape))
        {
            return false;
        }

        using TensorBuffer.Lease lease = Buffer.Acquire(), otherLease = other.Buffer.Acquire();
        bool isEqual = true;
        for (long at = 0; isEqual && at < ByteLength; at += CompareLength)
        {
            int length = (int)Math.Min(CompareLength, ByteLength - at);
            isEqual = Buffer.Span<byte>(Offset + at, length).SequenceEqual(other.Buffer.Span<byte>(other.Offset + at, length));
        }

        return isEqual;
    }

    /// <summary>Type and shape, for example <c>Float32 [768, 1536]</c>.</summary>
    public override string ToString() => $"{Type} [{string.Join(", ", shape)}]";

    private void RequireFloat32()
    {
        if (Type != ElementType.Float32)
        {
            throw new InvalidOperationException($"expected a Float32 tensor, found {this}; convert it with ToFloat32");
        }
    }

    private static int CountOf(ElementType type, ReadOnlySpan<int> shape)
    {
        long count = 1;
        foreach (int dimension in shape)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(dimension, nameof(shape));
            count *= dimension;
            ArgumentOutOfRangeException.ThrowIfGreaterThan(count, int.MaxValue, nameof(shape));
        }

        int row = shape.IsEmpty ? 1 : shape[^1];
        if (row % type.BlockLength() != 0)
        {
            Throw.Argument(Throw.Invariant($"{type}: expected rows of a multiple of {type.BlockLength()} elements, found {row}; choose another type"), nameof(shape));
        }

        return (int)count;
    }
}
