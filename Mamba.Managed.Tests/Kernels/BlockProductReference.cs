using Mamba.Managed.Tensors;
using Mamba.Managed.Tensors.Blocks;

namespace Mamba.Managed.Tests.Kernels;

/// <summary>What a product with quantized blocks is, one number at a time.</summary>
internal static class BlockProductReference
{
    /// <summary>W x for one row, before any bias.</summary>
    public static float[] Row(ReadOnlySpan<float> x, Tensor weight) => weight.Type switch
    {
        ElementType.Q8_0 => Row<Q8_0>(x, weight),
        ElementType.Q4_0 => Row<Q4_0>(x, weight),
        ElementType.Q4_1 => Row<Q4_1>(x, weight),
        ElementType.Q5_0 => Row<Q5_0>(x, weight),
        ElementType.Q5_1 => Row<Q5_1>(x, weight),
        ElementType.Q2_K => Row<Q2_K>(x, weight),
        ElementType.Q3_K => Row<Q3_K>(x, weight),
        ElementType.Q4_K => Row<Q4_K>(x, weight),
        ElementType.Q5_K => Row<Q5_K>(x, weight),
        _ => Row<Q6_K>(x, weight),
    };

    private static float[] Row<TFormat>(ReadOnlySpan<float> x, Tensor weight)
        where TFormat : struct, IBlockFormat
    {
        (int size, int length) = (TFormat.Type.BlockSize(), TFormat.Type.BlockLength());
        float[] y = new float[weight.Shape[0]];
        BlockParts parts = new() { Codes = new byte[length], Scales = new sbyte[length / TFormat.GroupLength], Minima = new byte[length / TFormat.GroupLength] };
        parts.Reset();
        for (int output = 0; output < y.Length; output++)
        {
            for (int block = 0; block < x.Length / length; block++)
            {
                TFormat.Unpack(weight.Bytes.Slice(((output * x.Length / length) + block) * size, size), ref parts);
                for (int g = 0; g < parts.Scales.Length; g++)
                {
                    int start = g * TFormat.GroupLength;
                    (float scale, int[] integers) = Round(x.Slice((block * length) + start, TFormat.GroupLength));
                    int zero = TFormat.IsAffine ? 0 : TFormat.Zero, sum = 0;
                    for (int k = 0; k < integers.Length; k++)
                    {
                        byte code = parts.Codes[start + k];
                        sum += ((TFormat.Bits == 8 ? (sbyte)code : code) - zero) * integers[k];
                    }

                    y[output] = MathF.FusedMultiplyAdd((float)parts.Scale * parts.Scales[g] * scale, sum, y[output]);
                    if (TFormat.IsAffine)
                    {
                        y[output] = MathF.FusedMultiplyAdd(-(float)parts.Minimum * parts.Minima[g], scale * integers.Sum(), y[output]);
                    }
                }
            }
        }

        return y;
    }

    private static (float Scale, int[] Integers) Round(ReadOnlySpan<float> group)
    {
        float largest = Math.Abs(System.Numerics.Tensors.TensorPrimitives.MaxMagnitude(group));
        return largest < 1e-30f ? (0, new int[group.Length])
            : !float.IsFinite(largest) ? (float.NaN, new int[group.Length])
            : (largest / 127, [.. group.ToArray().Select(x => (int)MathF.Round(x * (127 / largest)))]);
    }
}
