using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Mamba.Managed.Tensors.Blocks;

/// <summary>What blocks of 256 elements share: bit planes of codes, and scales of groups that are quantized themselves.</summary>
/// <remarks>
/// A plane keeps the codes of consecutive elements in consecutive bytes, so that a vector of bytes, shifted and masked, is a run of codes:
/// <code>
/// 1 bit:   byte i % 32,                   bit i / 32
/// 2 bits:  byte i / 128 * 32 + i % 32,    bits 2 (i % 128 / 32) ..
/// 4 bits:  byte i / 64 * 32 + i % 32,     low half for i % 64 &lt; 32
/// </code>
/// </remarks>
internal static class SuperBlock
{
    /// <summary>Elements of a block.</summary>
    public const int Length = 256;

    /// <summary>Spreads the bits of a plane over <paramref name="codes"/>.</summary>
    /// <param name="plane">[32 width]</param>
    /// <param name="width">Bits of each code that the plane holds: 1, 2 or 4.</param>
    /// <param name="shift">Their position in a code. Lower bits of the code are kept, higher ones become 0.</param>
    /// <param name="codes">[256]</param>
    /// <param name="run">How many consecutive codes take the same bits of consecutive bytes, before the next bits of those bytes follow.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Unpack(ReadOnlySpan<byte> plane, int width, int shift, Span<byte> codes, int run = 32)
    {
        Vector128<byte> mask = Vector128.Create((byte)((1 << width) - 1)), kept = Vector128.Create((byte)((1 << shift) - 1));
        ref byte from = ref MemoryMarshal.GetReference(plane[..(Length / 8 * width)]), to = ref MemoryMarshal.GetReference(codes[..Length]);
        nuint length = (nuint)run;
        for (nuint at = 0, source = 0; at < Length; source += length)
        {
            for (int bit = 0; bit < 8; bit += width, at += length)
            {
                for (nuint i = 0; i < length; i += (nuint)Vector128<byte>.Count)
                {
                    Vector128<byte> bits = (Vector128.LoadUnsafe(ref from, source + i).AsUInt64() >> bit).AsByte() & mask;
                    ((Vector128.LoadUnsafe(ref to, at + i) & kept) | (bits.AsUInt64() << shift).AsByte()).StoreUnsafe(ref to, at + i);
                }
            }
        }
    }

    /// <summary>Stores bit <paramref name="shift"/> of each code.</summary>
    public static void PackOne(ReadOnlySpan<byte> codes, int shift, Span<byte> plane)
    {
        plane[..32].Clear();
        for (int i = 0; i < Length; i++)
        {
            plane[i % 32] |= (byte)(((codes[i] >> shift) & 1) << (i / 32));
        }
    }

    /// <summary>Stores bits <paramref name="shift"/> and the next of each code.</summary>
    public static void PackTwo(ReadOnlySpan<byte> codes, int shift, Span<byte> plane)
    {
        plane[..64].Clear();
        for (int i = 0; i < Length; i++)
        {
            plane[(i / 128 * 32) + (i % 32)] |= (byte)(((codes[i] >> shift) & 3) << (i % 128 / 32 * 2));
        }
    }

    /// <summary>Stores the low 4 bits of each code.</summary>
    public static void PackFour(ReadOnlySpan<byte> codes, Span<byte> plane)
    {
        plane[..128].Clear();
        for (int i = 0; i < Length; i++)
        {
            plane[(i / 64 * 32) + (i % 32)] |= (byte)((codes[i] & 0xF) << (i % 64 / 32 * 4));
        }
    }

    /// <summary>Finds d, s and the codes of x = d s (q - levels).</summary>
    /// <param name="values">[256]</param>
    /// <param name="levels">Codes lie in [0, 2 levels - 1].</param>
    /// <param name="range">s lies in [-range, range - 1].</param>
    /// <param name="scales">[16]: s of each group of 16.</param>
    /// <param name="codes">[256]</param>
    public static Half FitSymmetric(ReadOnlySpan<float> values, int levels, int range, Span<sbyte> scales, Span<byte> codes)
    {
        Span<float> exact = stackalloc float[scales.Length];
        float extreme = 0;
        int length = Length / scales.Length;
        for (int g = 0; g < exact.Length; g++)
        {
            exact[g] = ScaleSearch.Symmetric(values.Slice(g * length, length), levels);
            extreme = Math.Abs(exact[g]) > Math.Abs(extreme) ? exact[g] : extreme;
        }

        // The sign of d is chosen so that the largest scale becomes -range: there is one negative code more.
        Half d = (Half)(-extreme / range);
        float inverse = d == Half.Zero ? 0 : 1 / (float)d;
        for (int g = 0; g < exact.Length; g++)
        {
            scales[g] = (sbyte)Math.Clamp(MathF.Round(exact[g] * inverse), -range, range - 1);
            ScaleSearch.Round(values.Slice(g * length, length), (float)d * scales[g], levels, (2 * levels) - 1, codes.Slice(g * length, length));
        }

        return d;
    }

    /// <summary>Finds d, m, s, t and the codes of x = d s q - m t.</summary>
    /// <param name="values">[256]</param>
    /// <param name="levels">Codes lie in [0, levels].</param>
    /// <param name="range">s and t lie in [0, range].</param>
    /// <param name="scales">[groups]: s.</param>
    /// <param name="minima">[groups]: t.</param>
    /// <param name="codes">[256]</param>
    public static (Half Scale, Half Minimum) FitAffine(
        ReadOnlySpan<float> values, int levels, int range, Span<byte> scales, Span<byte> minima, Span<byte> codes)
    {
        Span<float> exactScales = stackalloc float[scales.Length], exactMinima = stackalloc float[scales.Length];
        (float largestScale, float largestMinimum) = (0, 0);
        int length = Length / scales.Length;
        for (int g = 0; g < scales.Length; g++)
        {
            (float scale, float minimum) = ScaleSearch.Affine(values.Slice(g * length, length), levels, anyMinimum: false);
            (exactScales[g], exactMinima[g]) = (scale, -minimum);
            (largestScale, largestMinimum) = (Math.Max(largestScale, scale), Math.Max(largestMinimum, -minimum));
        }

        (Half d, Half m) = ((Half)(largestScale / range), (Half)(largestMinimum / range));
        ScaleSearch.RoundAffine(exactScales, (float)d, 0, range, scales);
        ScaleSearch.RoundAffine(exactMinima, (float)m, 0, range, minima);
        for (int g = 0; g < scales.Length; g++)
        {
            ScaleSearch.RoundAffine(
                values.Slice(g * length, length), (float)d * scales[g], -((float)m * minima[g]), levels, codes.Slice(g * length, length));
        }

        return (d, m);
    }
}
