using System.Buffers.Binary;

namespace Mamba.Managed.Tensors.Blocks;

/// <summary><c>| 16 bytes of s and t | 64 bytes of codes | d | m |</c>, x = d s q - m t, groups of 16, s in the low half of its byte.</summary>
internal readonly struct Q2_K : IBlockFormat
{
    public static ElementType Type => ElementType.Q2_K;

    public static void Dequantise(ReadOnlySpan<byte> block, Span<float> values)
    {
        Span<byte> codes = stackalloc byte[SuperBlock.Length];
        codes.Clear();
        SuperBlock.UnpackTwo(block[16..], 0, codes);
        float d = (float)BinaryPrimitives.ReadHalfLittleEndian(block[80..]), m = (float)BinaryPrimitives.ReadHalfLittleEndian(block[82..]);
        for (int g = 0; g < 16; g++)
        {
            SuperBlock.Expand(codes.Slice(g * 16, 16), d * (block[g] & 0xF), 0, m * (block[g] >> 4), values.Slice(g * 16, 16));
        }
    }

    public static void Quantise(ReadOnlySpan<float> values, Span<byte> block)
    {
        Span<byte> codes = stackalloc byte[SuperBlock.Length], scales = stackalloc byte[16], minima = stackalloc byte[16];
        (Half d, Half m) = SuperBlock.FitAffine(values, 3, 15, scales, minima, codes);
        for (int g = 0; g < 16; g++)
        {
            block[g] = (byte)(scales[g] | (minima[g] << 4));
        }

        SuperBlock.PackTwo(codes, 0, block[16..]);
        BinaryPrimitives.WriteHalfLittleEndian(block[80..], d);
        BinaryPrimitives.WriteHalfLittleEndian(block[82..], m);
    }
}

/// <summary><c>| d | m | 12 bytes of s and t | 128 bytes of codes |</c>, x = d s q - m t, groups of 32.</summary>
internal readonly struct Q4_K : IBlockFormat
{
    public static ElementType Type => ElementType.Q4_K;

    public static void Dequantise(ReadOnlySpan<byte> block, Span<float> values)
    {
        Span<byte> codes = stackalloc byte[SuperBlock.Length];
        codes.Clear();
        SuperBlock.UnpackFour(block[16..], codes);
        SixBitPairs.Expand(block, codes, values);
    }

    public static void Quantise(ReadOnlySpan<float> values, Span<byte> block)
    {
        Span<byte> codes = stackalloc byte[SuperBlock.Length];
        SixBitPairs.Fit(values, 15, block, codes);
        SuperBlock.PackFour(codes, block[16..]);
    }
}

/// <summary><c>| d | m | 12 bytes of s and t | 32 bytes of fifth bits | 128 bytes of low bits |</c>, x = d s q - m t, groups of 32.</summary>
internal readonly struct Q5_K : IBlockFormat
{
    public static ElementType Type => ElementType.Q5_K;

    public static void Dequantise(ReadOnlySpan<byte> block, Span<float> values)
    {
        Span<byte> codes = stackalloc byte[SuperBlock.Length];
        codes.Clear();
        SuperBlock.UnpackOne(block[16..], 4, codes);
        SuperBlock.UnpackFour(block[48..], codes);
        SixBitPairs.Expand(block, codes, values);
    }

    public static void Quantise(ReadOnlySpan<float> values, Span<byte> block)
    {
        Span<byte> codes = stackalloc byte[SuperBlock.Length];
        SixBitPairs.Fit(values, 31, block, codes);
        SuperBlock.PackOne(codes, 4, block[16..]);
        SuperBlock.PackFour(codes, block[48..]);
    }
}

/// <summary>The head of Q4_K and Q5_K: d, m, and eight pairs (s, t) of 6 bits each in 12 bytes.</summary>
/// <remarks>
/// <code>
/// byte g     (g = 0..3):  s[g]            | high bits of s[g + 4] &lt;&lt; 6
/// byte g + 4 (g = 0..3):  t[g]            | high bits of t[g + 4] &lt;&lt; 6
/// byte g + 4 (g = 4..7):  low bits of s[g] | low bits of t[g] &lt;&lt; 4
/// </code>
/// </remarks>
internal static class SixBitPairs
{
    private const int Groups = 8;
    private const int GroupLength = SuperBlock.Length / Groups;

    /// <summary>Computes the elements of a block whose codes are unpacked.</summary>
    public static void Expand(ReadOnlySpan<byte> block, ReadOnlySpan<byte> codes, Span<float> values)
    {
        float d = (float)BinaryPrimitives.ReadHalfLittleEndian(block), m = (float)BinaryPrimitives.ReadHalfLittleEndian(block[2..]);
        ReadOnlySpan<byte> pairs = block.Slice(4, 12);
        for (int g = 0; g < Groups; g++)
        {
            int s = g < 4 ? pairs[g] & 63 : (pairs[g + 4] & 0xF) | (pairs[g - 4] >> 6 << 4);
            int t = g < 4 ? pairs[g + 4] & 63 : (pairs[g + 4] >> 4) | (pairs[g] >> 6 << 4);
            SuperBlock.Expand(codes.Slice(g * GroupLength, GroupLength), d * s, 0, m * t, values.Slice(g * GroupLength, GroupLength));
        }
    }

    /// <summary>Finds scales and codes, and stores the scales.</summary>
    public static void Fit(ReadOnlySpan<float> values, int levels, Span<byte> block, Span<byte> codes)
    {
        Span<byte> scales = stackalloc byte[Groups], minima = stackalloc byte[Groups];
        (Half d, Half m) = SuperBlock.FitAffine(values, levels, 63, scales, minima, codes);
        BinaryPrimitives.WriteHalfLittleEndian(block, d);
        BinaryPrimitives.WriteHalfLittleEndian(block[2..], m);
        Span<byte> pairs = block.Slice(4, 12);
        for (int g = 0; g < 4; g++)
        {
            pairs[g] = (byte)(scales[g] | (scales[g + 4] >> 4 << 6));
            pairs[g + 4] = (byte)(minima[g] | (minima[g + 4] >> 4 << 6));
            pairs[g + 8] = (byte)((scales[g + 4] & 0xF) | (minima[g + 4] << 4));
        }
    }
}
