using System.Numerics.Tensors;

namespace Mamba.Managed.Tensors.Blocks;

/// <summary>One way to store a block of neighbouring elements with shared scales.</summary>
internal interface IBlockFormat
{
    /// <summary>The type that names the format, and gives its lengths.</summary>
    static abstract ElementType Type { get; }

    /// <summary>Computes the elements of one block.</summary>
    /// <param name="block">[block size]</param>
    /// <param name="values">[block length]</param>
    static abstract void Dequantise(ReadOnlySpan<byte> block, Span<float> values);

    /// <summary>Finds the block whose elements come near to <paramref name="values"/>.</summary>
    /// <param name="values">[block length]: finite, at most 65504 in magnitude, so that every scale fits binary16.</param>
    /// <param name="block">[block size]: every byte is written.</param>
    static abstract void Quantise(ReadOnlySpan<float> values, Span<byte> block);
}

/// <summary>Runs the format that an <see cref="ElementType"/> names over whole blocks.</summary>
internal static class BlockFormats
{
    /// <summary>Computes the elements of blocks.</summary>
    /// <param name="type">A quantised type.</param>
    /// <param name="blocks">[blocks x block size]</param>
    /// <param name="values">[blocks x block length]</param>
    public static void Dequantise(ElementType type, ReadOnlySpan<byte> blocks, Span<float> values)
    {
        switch (type)
        {
            case ElementType.Q8_0: Dequantise<Q8_0>(blocks, values); break;
            case ElementType.Q4_0: Dequantise<Q4_0>(blocks, values); break;
            case ElementType.Q4_1: Dequantise<Q4_1>(blocks, values); break;
            case ElementType.Q5_0: Dequantise<Q5_0>(blocks, values); break;
            case ElementType.Q5_1: Dequantise<Q5_1>(blocks, values); break;
            case ElementType.Q2_K: Dequantise<Q2_K>(blocks, values); break;
            case ElementType.Q3_K: Dequantise<Q3_K>(blocks, values); break;
            case ElementType.Q4_K: Dequantise<Q4_K>(blocks, values); break;
            case ElementType.Q5_K: Dequantise<Q5_K>(blocks, values); break;
            case ElementType.Q6_K: Dequantise<Q6_K>(blocks, values); break;
            default: throw new ArgumentOutOfRangeException(nameof(type), type, "expected a quantised type");
        }
    }

    /// <summary>Finds blocks whose elements come near to <paramref name="values"/>.</summary>
    /// <param name="type">A quantised type.</param>
    /// <param name="values">[blocks x block length]</param>
    /// <param name="blocks">[blocks x block size]</param>
    /// <exception cref="ArgumentException">A value is not finite or beyond 65504.</exception>
    public static void Quantise(ElementType type, ReadOnlySpan<float> values, Span<byte> blocks)
    {
        const float Most = 65504;
        float largest = values.IsEmpty ? 0 : TensorPrimitives.MaxMagnitude(values);
        if (!(Math.Abs(largest) <= Most))
        {
            Throw.Argument(Throw.Invariant($"{type}: expected finite values of at most {Most} in magnitude, found {largest}"), nameof(values));
        }

        switch (type)
        {
            case ElementType.Q8_0: Quantise<Q8_0>(values, blocks); break;
            case ElementType.Q4_0: Quantise<Q4_0>(values, blocks); break;
            case ElementType.Q4_1: Quantise<Q4_1>(values, blocks); break;
            case ElementType.Q5_0: Quantise<Q5_0>(values, blocks); break;
            case ElementType.Q5_1: Quantise<Q5_1>(values, blocks); break;
            case ElementType.Q2_K: Quantise<Q2_K>(values, blocks); break;
            case ElementType.Q3_K: Quantise<Q3_K>(values, blocks); break;
            case ElementType.Q4_K: Quantise<Q4_K>(values, blocks); break;
            case ElementType.Q5_K: Quantise<Q5_K>(values, blocks); break;
            case ElementType.Q6_K: Quantise<Q6_K>(values, blocks); break;
            default: throw new ArgumentOutOfRangeException(nameof(type), type, "expected a quantised type");
        }
    }

    private static void Dequantise<TFormat>(ReadOnlySpan<byte> blocks, Span<float> values)
        where TFormat : IBlockFormat
    {
        (int size, int length) = (TFormat.Type.BlockSize(), TFormat.Type.BlockLength());
        for (int i = 0; i < values.Length / length; i++)
        {
            TFormat.Dequantise(blocks.Slice(i * size, size), values.Slice(i * length, length));
        }
    }

    private static void Quantise<TFormat>(ReadOnlySpan<float> values, Span<byte> blocks)
        where TFormat : IBlockFormat
    {
        (int size, int length) = (TFormat.Type.BlockSize(), TFormat.Type.BlockLength());
        for (int i = 0; i < values.Length / length; i++)
        {
            TFormat.Quantise(values.Slice(i * length, length), blocks.Slice(i * size, size));
        }
    }
}
