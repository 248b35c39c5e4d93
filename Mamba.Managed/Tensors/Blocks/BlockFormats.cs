using System.Numerics.Tensors;

namespace Mamba.Managed.Tensors.Blocks;

/// <summary>The unpacked fields of a block.</summary>
/// <remarks>All their products are exact in single precision, except q d s of 6-bit codes. So x is rounded once, in whatever order it is computed.</remarks>
internal ref struct BlockParts
{
    /// <summary>[block length]: q; signed bytes where <see cref="IBlockFormat.Bits"/> is 8.</summary>
    public required Span<byte> Codes { get; init; }

    /// <summary>[groups]: s.</summary>
    public required Span<sbyte> Scales { get; init; }

    /// <summary>[groups]: t.</summary>
    public required Span<byte> Minima { get; init; }

    /// <summary>d.</summary>
    public Half Scale { get; set; }

    /// <summary>m.</summary>
    public Half Minimum { get; set; }

    /// <summary>Makes s and t 1, as they are where a format has none.</summary>
    public readonly void Reset()
    {
        Scales.Fill(1);
        Minima.Fill(1);
    }
}

/// <summary>One way to store a block of neighboring elements with shared scales.</summary>
/// <remarks>Elements follow from codes q as x = d s q + offset, with an offset of -m t, or of -zero d s.</remarks>
internal interface IBlockFormat
{
    /// <summary>The type that names the format, and gives its lengths.</summary>
    static abstract ElementType Type { get; }

    /// <summary>Bits of a code: 2, 3, 4, 5, 6, or 8 for signed bytes.</summary>
    static abstract int Bits { get; }

    /// <summary>Elements of a group, which share s and t: 16 or 32.</summary>
    static abstract int GroupLength { get; }

    /// <summary>The zero point, the code of 0: a power of two where codes are unsigned and there is no minimum, otherwise 0.</summary>
    static abstract int Zero { get; }

    /// <summary>Whether blocks have a minimum m.</summary>
    static abstract bool IsAffine { get; }

    /// <summary>Whether groups have s, and t with a minimum; else both are 1.</summary>
    static abstract bool HasGroups { get; }

    /// <summary>Unpacks the fields of one block.</summary>
    /// <param name="block">[block size]</param>
    /// <param name="parts">Receives every field that the format has.</param>
    static abstract void Unpack(ReadOnlySpan<byte> block, ref BlockParts parts);

    /// <summary>Quantizes one block.</summary>
    /// <param name="values">[block length]: finite, at most 65504 in magnitude, so that every scale fits binary16.</param>
    /// <param name="block">[block size]: every byte is written.</param>
    static abstract void Quantize(ReadOnlySpan<float> values, Span<byte> block);
}

/// <summary>Runs the format that an <see cref="ElementType"/> names over whole blocks.</summary>
internal static class BlockFormats
{
    /// <summary>Computes the elements of blocks.</summary>
    /// <param name="type">A quantized type.</param>
    /// <param name="blocks">[blocks x block size]</param>
    /// <param name="values">[blocks x block length]</param>
    public static void Dequantize(ElementType type, ReadOnlySpan<byte> blocks, Span<float> values)
    {
        switch (type)
        {
            case ElementType.Q8_0: Dequantize<Q8_0>(blocks, values); break;
            case ElementType.Q4_0: Dequantize<Q4_0>(blocks, values); break;
            case ElementType.Q4_1: Dequantize<Q4_1>(blocks, values); break;
            case ElementType.Q5_0: Dequantize<Q5_0>(blocks, values); break;
            case ElementType.Q5_1: Dequantize<Q5_1>(blocks, values); break;
            case ElementType.Q2_K: Dequantize<Q2_K>(blocks, values); break;
            case ElementType.Q3_K: Dequantize<Q3_K>(blocks, values); break;
            case ElementType.Q4_K: Dequantize<Q4_K>(blocks, values); break;
            case ElementType.Q5_K: Dequantize<Q5_K>(blocks, values); break;
            case ElementType.Q6_K: Dequantize<Q6_K>(blocks, values); break;
            default: throw new ArgumentOutOfRangeException(nameof(type), type, "expected a quantized type");
        }
    }

    /// <summary>Quantizes <paramref name="values"/> to whole blocks.</summary>
    /// <param name="type">A quantized type.</param>
    /// <param name="values">[blocks x block length]</param>
    /// <param name="blocks">[blocks x block size]</param>
    /// <exception cref="ArgumentException">A value is not finite or beyond 65504.</exception>
    public static void Quantize(ElementType type, ReadOnlySpan<float> values, Span<byte> blocks)
    {
        const float Most = 65504;
        float largest = values.IsEmpty ? 0 : TensorPrimitives.MaxMagnitude(values);
        if (!(Math.Abs(largest) <= Most))
        {
            Throw.Argument(Throw.Invariant($"{type}: expected finite values of at most {Most} in magnitude, found {largest}"), nameof(values));
        }

        switch (type)
        {
            case ElementType.Q8_0: Quantize<Q8_0>(values, blocks); break;
            case ElementType.Q4_0: Quantize<Q4_0>(values, blocks); break;
            case ElementType.Q4_1: Quantize<Q4_1>(values, blocks); break;
            case ElementType.Q5_0: Quantize<Q5_0>(values, blocks); break;
            case ElementType.Q5_1: Quantize<Q5_1>(values, blocks); break;
            case ElementType.Q2_K: Quantize<Q2_K>(values, blocks); break;
            case ElementType.Q3_K: Quantize<Q3_K>(values, blocks); break;
            case ElementType.Q4_K: Quantize<Q4_K>(values, blocks); break;
            case ElementType.Q5_K: Quantize<Q5_K>(values, blocks); break;
            case ElementType.Q6_K: Quantize<Q6_K>(values, blocks); break;
            default: throw new ArgumentOutOfRangeException(nameof(type), type, "expected a quantized type");
        }
    }

    private static void Dequantize<TFormat>(ReadOnlySpan<byte> blocks, Span<float> values)
        where TFormat : IBlockFormat
    {
        (int size, int length) = (TFormat.Type.BlockSize(), TFormat.Type.BlockLength());
        int groupLength = TFormat.GroupLength;
        BlockParts parts = new() { Codes = stackalloc byte[length], Scales = stackalloc sbyte[length / groupLength], Minima = stackalloc byte[length / groupLength] };
        parts.Reset();
        for (int i = 0; i < values.Length / length; i++)
        {
            TFormat.Unpack(blocks.Slice(i * size, size), ref parts);
            for (int g = 0; g < parts.Scales.Length; g++)
            {
                float scale = (float)parts.Scale * parts.Scales[g];
                float offset = TFormat.IsAffine ? -((float)parts.Minimum * parts.Minima[g]) : -TFormat.Zero * scale;
                ReadOnlySpan<byte> codes = parts.Codes.Slice(g * groupLength, groupLength);
                Span<float> group = values.Slice((i * length) + (g * groupLength), groupLength);
                for (int k = 0; k < codes.Length; k++)
                {
                    group[k] = MathF.FusedMultiplyAdd(TFormat.Bits == 8 ? (sbyte)codes[k] : codes[k], scale, offset);
                }
            }
        }
    }

    private static void Quantize<TFormat>(ReadOnlySpan<float> values, Span<byte> blocks)
        where TFormat : IBlockFormat
    {
        (int size, int length) = (TFormat.Type.BlockSize(), TFormat.Type.BlockLength());
        for (int i = 0; i < values.Length / length; i++)
        {
            TFormat.Quantize(values.Slice(i * length, length), blocks.Slice(i * size, size));
        }
    }
}
