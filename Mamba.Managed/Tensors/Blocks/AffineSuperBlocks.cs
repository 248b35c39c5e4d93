using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Mamba.Managed.Tensors.Blocks;

/// <summary><c>| 16 bytes of s and t | 64 bytes of codes | d | m |</c>, x = d s q - m t, groups of 16, s in the low half of its byte.</summary>
internal readonly struct Q2_K : IBlockFormat
{
    public static ElementType Type => ElementType.Q2_K;

    public static int Bits => 2;

    public static int GroupLength => 16;

    public static int Zero => 0;

    public static bool IsAffine => true;

    public static bool HasGroups => true;

    public static void Unpack(ReadOnlySpan<byte> block, ref BlockParts parts)
    {
        (parts.Scale, parts.Minimum) = (BinaryPrimitives.ReadHalfLittleEndian(block[80..]), BinaryPrimitives.ReadHalfLittleEndian(block[82..]));
        SuperBlock.Unpack(block[16..], 2, 0, parts.Codes);
        for (int g = 0; g < parts.Scales.Length; g++)
        {
            parts.Scales[g] = (sbyte)(block[g] & 0xF);
            parts.Minima[g] = (byte)(block[g] >> 4);
        }
    }

    public static void Quantize(ReadOnlySpan<float> values, Span<byte> block)
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

    public static int Bits => 4;

    public static int GroupLength => SixBitPairs.GroupLength;

    public static int Zero => 0;

    public static bool IsAffine => true;

    public static bool HasGroups => true;

    public static void Unpack(ReadOnlySpan<byte> block, ref BlockParts parts)
    {
        SixBitPairs.Unpack(block, ref parts);
        SuperBlock.Unpack(block[16..], 4, 0, parts.Codes);
    }

    public static void Quantize(ReadOnlySpan<float> values, Span<byte> block)
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

    public static int Bits => 5;

    public static int GroupLength => SixBitPairs.GroupLength;

    public static int Zero => 0;

    public static bool IsAffine => true;

    public static bool HasGroups => true;

    public static void Unpack(ReadOnlySpan<byte> block, ref BlockParts parts)
    {
        SixBitPairs.Unpack(block, ref parts);
        SuperBlock.Unpack(block[48..], 4, 0, parts.Codes);
        SuperBlock.Unpack(block[16..], 1, 4, parts.Codes);
    }

    public static void Quantize(ReadOnlySpan<float> values, Span<byte> block)
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
    /// <summary>Elements that share a pair.</summary>
    public const int GroupLength = SuperBlock.Length / Groups;

    private const int Groups = 8;

    // Masks for four bytes at once.
    private const uint SixBits = 0x3F3F3F3F;
    private const uint LowHalves = 0x0F0F0F0F;

    /// <summary>Takes out d, m and the pairs.</summary>
    public static void Unpack(ReadOnlySpan<byte> block, ref BlockParts parts)
    {
        (parts.Scale, parts.Minimum) = (BinaryPrimitives.ReadHalfLittleEndian(block), BinaryPrimitives.ReadHalfLittleEndian(block[2..]));
        ReadOnlySpan<uint> pairs = MemoryMarshal.Cast<byte, uint>(block.Slice(4, 12));
        Span<uint> scales = MemoryMarshal.Cast<sbyte, uint>(parts.Scales), minima = MemoryMarshal.Cast<byte, uint>(parts.Minima);
        (uint first, uint second, uint low) = (pairs[0], pairs[1], pairs[2]);
        (scales[0], minima[0]) = (first & SixBits, second & SixBits);
        scales[1] = (low & LowHalves) | ((first & ~SixBits) >> 2);
        minima[1] = ((low >> 4) & LowHalves) | ((second & ~SixBits) >> 2);
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
