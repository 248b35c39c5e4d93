using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Mamba.Managed.Tensors.Blocks;

/// <summary>Codes of blocks of 32 elements: the low four bits of elements i and i + 16 share byte i; a fifth bit is bit i of a 32-bit word.</summary>
internal static class SmallBlock
{
    /// <summary>Elements of a block.</summary>
    public const int Length = 32;

    /// <summary>Writes the codes of a block.</summary>
    /// <param name="low">[16]: two codes a byte.</param>
    /// <param name="high">The fifth bits.</param>
    /// <param name="codes">[32]</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Unpack(ReadOnlySpan<byte> low, uint high, Span<byte> codes)
    {
        const ulong LowHalves = 0x0F0F0F0F0F0F0F0F;
        ReadOnlySpan<ulong> from = MemoryMarshal.Cast<byte, ulong>(low);
        Span<ulong> to = MemoryMarshal.Cast<byte, ulong>(codes[..Length]);
        to[0] = (from[0] & LowHalves) | FifthBits(high);
        to[1] = (from[1] & LowHalves) | FifthBits(high >> 8);
        to[2] = ((from[0] >> 4) & LowHalves) | FifthBits(high >> 16);
        to[3] = ((from[1] >> 4) & LowHalves) | FifthBits(high >> 24);
    }

    /// <summary>Stores the codes of a block and returns their fifth bits.</summary>
    public static uint Pack(ReadOnlySpan<byte> codes, Span<byte> low)
    {
        uint high = 0;
        for (int i = 0; i < Length / 2; i++)
        {
            low[i] = (byte)((codes[i] & 0xF) | (codes[i + 16] << 4));
            high |= ((uint)codes[i] >> 4) << i | ((uint)codes[i + 16] >> 4) << (i + 16);
        }

        return high;
    }

    /// <summary>Finds d of x = d (q - levels), and the codes.</summary>
    public static Half Fit(ReadOnlySpan<float> values, int levels, Span<byte> codes)
    {
        Half d = (Half)ScaleSearch.Symmetric(values, levels);
        ScaleSearch.Round(values, (float)d, levels, (2 * levels) - 1, codes);
        return d;
    }

    /// <summary>Finds d and m of x = d q + m, and the codes.</summary>
    public static (Half Scale, Half Minimum) FitAffine(ReadOnlySpan<float> values, int levels, Span<byte> codes)
    {
        (float scale, float minimum) = ScaleSearch.Affine(values, levels, anyMinimum: true);
        (Half d, Half m) = ((Half)scale, (Half)minimum);
        ScaleSearch.RoundAffine(values, (float)d, (float)m, levels, codes);
        return (d, m);
    }

    /// <summary>Reads a half-precision number and flips its sign bit; negating a Half would convert it to single precision and back.</summary>
    public static Half ReadNegative(ReadOnlySpan<byte> bytes) => BitConverter.UInt16BitsToHalf((ushort)(BinaryPrimitives.ReadUInt16LittleEndian(bytes) ^ 0x8000));

    // Deposits bit i of eight as the value 16 in byte i, within one 64-bit register (SWAR): the byte is copied into all eight bytes, byte i keeps bit i, and
    // adding 0x7F carries any such bit into bit 7 of its byte.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong FifthBits(uint bits)
    {
        const ulong Bytes = 0x0101010101010101, Diagonal = 0x8040201008040201;
        ulong left = ((bits & 0xFF) * Bytes) & Diagonal;
        return ((left + (0x7F * Bytes)) >> 3) & (0x10 * Bytes);
    }
}

/// <summary><c>| d | q0 .. q31: signed bytes |</c>, x = d q.</summary>
internal readonly struct Q8_0 : IBlockFormat
{
    public static ElementType Type => ElementType.Q8_0;

    public static int Bits => 8;

    public static int GroupLength => SmallBlock.Length;

    public static int Zero => 0;

    public static bool IsAffine => false;

    public static bool HasGroups => false;

    public static void Unpack(ReadOnlySpan<byte> block, ref BlockParts parts)
    {
        parts.Scale = BinaryPrimitives.ReadHalfLittleEndian(block);
        block.Slice(2, SmallBlock.Length).CopyTo(parts.Codes);
    }

    public static void Quantize(ReadOnlySpan<float> values, Span<byte> block)
    {
        // With 255 levels a search for a better scale gains nothing. The largest element becomes 127; codes are rounded with the scale before it is rounded to
        // half precision, as in ggml.
        float d = Math.Abs(System.Numerics.Tensors.TensorPrimitives.MaxMagnitude(values)) / 127;
        BinaryPrimitives.WriteHalfLittleEndian(block, (Half)d);
        float inverse = d < 1e-30f ? 0 : 1 / d;
        for (int i = 0; i < values.Length; i++)
        {
            block[2 + i] = (byte)(sbyte)MathF.Round(values[i] * inverse, MidpointRounding.AwayFromZero);
        }
    }
}

/// <summary><c>| d | 16 bytes of codes |</c>, x = d (q - 8).</summary>
internal readonly struct Q4_0 : IBlockFormat
{
    public static ElementType Type => ElementType.Q4_0;

    public static int Bits => 4;

    public static int GroupLength => SmallBlock.Length;

    public static int Zero => 8;

    public static bool IsAffine => false;

    public static bool HasGroups => false;

    public static void Unpack(ReadOnlySpan<byte> block, ref BlockParts parts)
    {
        parts.Scale = BinaryPrimitives.ReadHalfLittleEndian(block);
        SmallBlock.Unpack(block[2..], 0, parts.Codes);
    }

    public static void Quantize(ReadOnlySpan<float> values, Span<byte> block)
    {
        Span<byte> codes = stackalloc byte[SmallBlock.Length];
        BinaryPrimitives.WriteHalfLittleEndian(block, SmallBlock.Fit(values, 8, codes));
        SmallBlock.Pack(codes, block[2..]);
    }
}

/// <summary><c>| d | m | 16 bytes of codes |</c>, x = d q + m.</summary>
internal readonly struct Q4_1 : IBlockFormat
{
    public static ElementType Type => ElementType.Q4_1;

    public static int Bits => 4;

    public static int GroupLength => SmallBlock.Length;

    public static int Zero => 0;

    public static bool IsAffine => true;

    public static bool HasGroups => false;

    public static void Unpack(ReadOnlySpan<byte> block, ref BlockParts parts)
    {
        (parts.Scale, parts.Minimum) = (BinaryPrimitives.ReadHalfLittleEndian(block), SmallBlock.ReadNegative(block[2..]));
        SmallBlock.Unpack(block[4..], 0, parts.Codes);
    }

    public static void Quantize(ReadOnlySpan<float> values, Span<byte> block)
    {
        Span<byte> codes = stackalloc byte[SmallBlock.Length];
        (Half d, Half m) = SmallBlock.FitAffine(values, 15, codes);
        BinaryPrimitives.WriteHalfLittleEndian(block, d);
        BinaryPrimitives.WriteHalfLittleEndian(block[2..], m);
        SmallBlock.Pack(codes, block[4..]);
    }
}

/// <summary><c>| d | 32 fifth bits | 16 bytes of low bits |</c>, x = d (q - 16).</summary>
internal readonly struct Q5_0 : IBlockFormat
{
    public static ElementType Type => ElementType.Q5_0;

    public static int Bits => 5;

    public static int GroupLength => SmallBlock.Length;

    public static int Zero => 16;

    public static bool IsAffine => false;

    public static bool HasGroups => false;

    public static void Unpack(ReadOnlySpan<byte> block, ref BlockParts parts)
    {
        parts.Scale = BinaryPrimitives.ReadHalfLittleEndian(block);
        SmallBlock.Unpack(block[6..], BinaryPrimitives.ReadUInt32LittleEndian(block[2..]), parts.Codes);
    }

    public static void Quantize(ReadOnlySpan<float> values, Span<byte> block)
    {
        Span<byte> codes = stackalloc byte[SmallBlock.Length];
        BinaryPrimitives.WriteHalfLittleEndian(block, SmallBlock.Fit(values, 16, codes));
        BinaryPrimitives.WriteUInt32LittleEndian(block[2..], SmallBlock.Pack(codes, block[6..]));
    }
}

/// <summary><c>| d | m | 32 fifth bits | 16 bytes of low bits |</c>, x = d q + m.</summary>
internal readonly struct Q5_1 : IBlockFormat
{
    public static ElementType Type => ElementType.Q5_1;

    public static int Bits => 5;

    public static int GroupLength => SmallBlock.Length;

    public static int Zero => 0;

    public static bool IsAffine => true;

    public static bool HasGroups => false;

    public static void Unpack(ReadOnlySpan<byte> block, ref BlockParts parts)
    {
        (parts.Scale, parts.Minimum) = (BinaryPrimitives.ReadHalfLittleEndian(block), SmallBlock.ReadNegative(block[2..]));
        SmallBlock.Unpack(block[8..], BinaryPrimitives.ReadUInt32LittleEndian(block[4..]), parts.Codes);
    }

    public static void Quantize(ReadOnlySpan<float> values, Span<byte> block)
    {
        Span<byte> codes = stackalloc byte[SmallBlock.Length];
        (Half d, Half m) = SmallBlock.FitAffine(values, 31, codes);
        BinaryPrimitives.WriteHalfLittleEndian(block, d);
        BinaryPrimitives.WriteHalfLittleEndian(block[2..], m);
        BinaryPrimitives.WriteUInt32LittleEndian(block[4..], SmallBlock.Pack(codes, block[8..]));
    }
}
