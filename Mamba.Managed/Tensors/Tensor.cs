using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Mamba.Managed.Kernels;
using Mamba.Managed.Tensors.Blocks;

namespace Mamba.Managed.Tensors;

/// <summary>An element type, a shape and the bytes of the elements in row-major order.</summary>
/// <remarks>
/// A tensor is a reference: two tensors are equal only when they are the same object, so that a model whose embedding and head share
/// one tensor holds it once. The elements of a tensor over a mapped file are read-only.
/// </remarks>
public sealed class Tensor
{
    private readonly int[] shape;

    /// <summary>A view of <paramref name="buffer"/>.</summary>
    /// <param name="type">How the elements are stored.</param>
    /// <param name="shape">Dimensions, slowest first; empty for a scalar. The last is a multiple of the type's block length.</param>
    /// <param name="buffer">The owner of the bytes.</param>
    /// <param name="offset">Where the first element lies in the buffer, in bytes.</param>
    /// <exception cref="ArgumentException">The elements do not lie within the buffer, or the rows are not whole blocks.</exception>
    public Tensor(ElementType type, ReadOnlySpan<int> shape, TensorBuffer buffer, long offset)
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
    public TensorBuffer Buffer { get; }

    /// <summary>Where the first element lies in <see cref="Buffer"/>, in bytes.</summary>
    public long Offset { get; }

    /// <summary>The stored bytes.</summary>
    /// <exception cref="OverflowException">There are more than a span can hold (2^31 - 1).</exception>
    public ReadOnlySpan<byte> Bytes => Buffer.Span<byte>(Offset, checked((int)ByteLength));

    /// <summary>The elements of a <see cref="ElementType.Float32"/> tensor, for reading and writing.</summary>
    /// <remarks>The span does not keep the memory alive: hold the tensor as long as the span is in use. <see cref="CopyTo(Span{float})"/> does so itself.</remarks>
    /// <exception cref="InvalidOperationException">The tensor holds another type.</exception>
    public Span<float> Floats => Type == ElementType.Float32
        ? Buffer.Span<float>(Offset, Count)
        : throw new InvalidOperationException($"expected a Float32 tensor, found {this}; convert it with ToFloat32");

    /// <summary>The elements of an <see cref="ElementType.Int64"/> tensor.</summary>
    /// <exception cref="InvalidOperationException">The tensor holds another type.</exception>
    public Span<long> Integers => Type == ElementType.Int64
        ? Buffer.Span<long>(Offset, Count)
        : throw new InvalidOperationException($"expected an Int64 tensor, found {this}");

    /// <summary>A new zero-filled tensor in memory of its own.</summary>
    public static Tensor Zeros(ElementType type, params ReadOnlySpan<int> shape) =>
        new(type, shape, TensorBuffer.Allocate(type.ByteLength(CountOf(type, shape))), 0);

    /// <summary>A new Float32 tensor with a copy of <paramref name="values"/>.</summary>
    /// <exception cref="ArgumentException">There are not as many values as the shape asks for.</exception>
    public static Tensor FromFloats(ReadOnlySpan<float> values, params ReadOnlySpan<int> shape)
    {
        Throw.UnlessLength(CountOf(ElementType.Float32, shape), values.Length);
        Tensor tensor = Zeros(ElementType.Float32, shape);
        values.CopyTo(tensor.Floats);
        return tensor;
    }

    /// <summary>This tensor when it holds Float32 already, otherwise a converted copy.</summary>
    /// <remarks>Half types and blocks convert exactly, but for a Q6_K product of 25 bits and the sums of Q4_1, Q5_1, Q2_K, Q4_K and Q5_K, which round once.</remarks>
    /// <exception cref="InvalidOperationException">The tensor holds integers.</exception>
    public Tensor ToFloat32()
    {
        if (Type == ElementType.Float32)
        {
            return this;
        }

        Tensor converted = Zeros(ElementType.Float32, shape);
        CopyTo(converted.Floats);
        return converted;
    }

    /// <summary>Writes every element, converted to single precision, to <paramref name="destination"/>.</summary>
    /// <param name="destination">[Count]</param>
    /// <exception cref="InvalidOperationException">The tensor holds integers.</exception>
    public void CopyTo(Span<float> destination)
    {
        Throw.UnlessLength(Count, destination.Length);
        CopyTo(0, destination);
    }

    /// <summary>Writes the elements from <paramref name="first"/> on, converted to single precision.</summary>
    /// <param name="first">The first element: the first of a block.</param>
    /// <param name="destination">As many elements as it takes: whole blocks.</param>
    internal void CopyTo(int first, Span<float> destination)
    {
        if (Type == ElementType.Float32)
        {
            Floats.Slice(first, destination.Length).CopyTo(destination);
            GC.KeepAlive(this);
            return;
        }

        // A span of bytes is shorter than a tensor may be.
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

        GC.KeepAlive(this);
    }

    /// <summary>The same elements under other dimensions.</summary>
    public Tensor Reshape(params ReadOnlySpan<int> dimensions)
    {
        Throw.UnlessLength(Count, CountOf(Type, dimensions));
        return new Tensor(Type, dimensions, Buffer, Offset);
    }

    /// <summary>Whether the shape is exactly <paramref name="dimensions"/>.</summary>
    public bool HasShape(params ReadOnlySpan<int> dimensions) => dimensions.SequenceEqual(shape);

    /// <summary>Type and shape, as <c>Float32 [768, 1536]</c>.</summary>
    public override string ToString() => $"{Type} [{string.Join(", ", shape)}]";

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
