using System.Runtime.InteropServices;

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
    /// <param name="shape">Dimensions, slowest first; empty for a scalar.</param>
    /// <param name="buffer">The owner of the bytes.</param>
    /// <param name="offset">Where the first element lies in the buffer, in bytes.</param>
    /// <exception cref="ArgumentException">The elements do not lie within the buffer.</exception>
    public Tensor(ElementType type, ReadOnlySpan<int> shape, TensorBuffer buffer, long offset)
    {
        ArgumentNullException.ThrowIfNull(buffer);
        Count = CountOf(shape);
        if (offset < 0 || offset > buffer.Length - ByteLengthOf(type, Count))
        {
            Throw.Argument(Throw.Invariant($"{ByteLengthOf(type, Count)} bytes at {offset} do not lie in a buffer of {buffer.Length}"), nameof(offset));
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
    public long ByteLength => ByteLengthOf(Type, Count);

    /// <summary>The owner of the bytes.</summary>
    public TensorBuffer Buffer { get; }

    /// <summary>Where the first element lies in <see cref="Buffer"/>, in bytes.</summary>
    public long Offset { get; }

    /// <summary>The stored bytes.</summary>
    /// <exception cref="OverflowException">There are more than a span can hold (2^31 - 1).</exception>
    public ReadOnlySpan<byte> Bytes => Buffer.Span<byte>(Offset, checked((int)ByteLength));

    /// <summary>The elements of a <see cref="ElementType.Float32"/> tensor, for reading and writing.</summary>
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
        new(type, shape, TensorBuffer.Allocate(ByteLengthOf(type, CountOf(shape))), 0);

    /// <summary>A new Float32 tensor with a copy of <paramref name="values"/>.</summary>
    /// <exception cref="ArgumentException">There are not as many values as the shape asks for.</exception>
    public static Tensor FromFloats(ReadOnlySpan<float> values, params ReadOnlySpan<int> shape)
    {
        Throw.UnlessLength(CountOf(shape), values.Length);
        Tensor tensor = Zeros(ElementType.Float32, shape);
        values.CopyTo(tensor.Floats);
        return tensor;
    }

    /// <summary>This tensor when it holds Float32 already, otherwise a converted copy. Half types convert exactly.</summary>
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
    public void CopyTo(Span<float> destination)
    {
        Throw.UnlessLength(Count, destination.Length);
        switch (Type)
        {
            case ElementType.Float32:
                Floats.CopyTo(destination);
                break;
            case ElementType.Float16:
                System.Numerics.Tensors.TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(Bytes), destination);
                break;
            case ElementType.BFloat16:
                ReadOnlySpan<ushort> halves = MemoryMarshal.Cast<byte, ushort>(Bytes);
                for (int i = 0; i < halves.Length; i++)
                {
                    destination[i] = BitConverter.UInt32BitsToSingle((uint)halves[i] << 16);
                }

                break;
            default:
                throw new InvalidOperationException($"expected a floating-point tensor, found {this}");
        }
    }

    /// <summary>The same elements under other dimensions.</summary>
    public Tensor Reshape(params ReadOnlySpan<int> dimensions)
    {
        Throw.UnlessLength(Count, CountOf(dimensions));
        return new Tensor(Type, dimensions, Buffer, Offset);
    }

    /// <summary>Whether the shape is exactly <paramref name="dimensions"/>.</summary>
    public bool HasShape(params ReadOnlySpan<int> dimensions) => dimensions.SequenceEqual(shape);

    /// <summary>Type and shape, as <c>Float32 [768, 1536]</c>.</summary>
    public override string ToString() => $"{Type} [{string.Join(", ", shape)}]";

    private static int CountOf(ReadOnlySpan<int> shape)
    {
        long count = 1;
        foreach (int dimension in shape)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(dimension, nameof(shape));
            count *= dimension;
            ArgumentOutOfRangeException.ThrowIfGreaterThan(count, int.MaxValue, nameof(shape));
        }

        return (int)count;
    }

    private static long ByteLengthOf(ElementType type, long count) => count * type.Size();
}
