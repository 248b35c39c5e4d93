using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Mamba.Managed.Tensors.Blocks;

/// <summary><c>| 32 bytes of third bits | 64 bytes of low bits | 12 bytes of s | d |</c>, x = d s (q - 4), groups of 16.</summary>
/// <remarks>s + 32 has 6 bits: the low four of groups g and g + 8 share byte g, the high two are in byte 8 + g % 4 at 2 (g / 4).</remarks>
internal readonly struct Q3_K : IBlockFormat
{
    public static ElementType Type => ElementType.Q3_K;

    public static int Bits => 3;

    public static int GroupLength => 16;

    public static int Zero => 4;

    public static bool IsAffine => false;

    public static bool HasGroups => true;

    public static void Unpack(ReadOnlySpan<byte> block, ref BlockParts parts)
    {
        parts.Scale = BinaryPrimitives.ReadHalfLittleEndian(block[108..]);
        SuperBlock.Unpack(block[32..], 2, 0, parts.Codes);
        SuperBlock.Unpack(block, 1, 2, parts.Codes);
        ReadOnlySpan<uint> packed = MemoryMarshal.Cast<byte, uint>(block.Slice(96, 12));
        Span<uint> scales = MemoryMarshal.Cast<sbyte, uint>(parts.Scales);
        for (int i = 0; i < scales.Length; i++)
        {
            // Four groups at a time in one register (SWAR). The set sign bits keep the subtraction of 32 from borrowing across bytes.
            uint s = ((packed[i % 2] >> (i / 2 * 4)) & 0x0F0F0F0F) | (((packed[2] >> (i * 2)) & 0x03030303) << 4);
            scales[i] = ((s | 0x80808080) - 0x20202020) ^ 0x80808080;
        }
    }

    public static void Quantize(ReadOnlySpan<float> values, Span<byte> block)
    {
        Span<byte> codes = stackalloc byte[SuperBlock.Length];
        Span<sbyte> scales = stackalloc sbyte[16];
        Half d = SuperBlock.FitSymmetric(values, 4, 32, scales, codes);
        SuperBlock.PackOne(codes, 2, block);
        SuperBlock.PackTwo(codes, 0, block[32..]);
        Span<byte> stored = block.Slice(96, 12);
        stored.Clear();
        for (int g = 0; g < 16; g++)
        {
            int s = scales[g] + 32;
            stored[g % 8] |= (byte)((s & 0xF) << (g / 8 * 4));
            stored[8 + (g % 4)] |= (byte)(s >> 4 << (g / 4 * 2));
        }

        BinaryPrimitives.WriteHalfLittleEndian(block[108..], d);
    }
}

/// <summary><c>| 128 bytes of low bits | 64 bytes of high bits | 16 signed bytes of s | d |</c>, x = d s (q - 32), groups of 16.</summary>
/// <remarks>The low four bits of element i are in byte 64 (i / 128) + i % 64, in the low half for i % 128 &lt; 64.</remarks>
internal readonly struct Q6_K : IBlockFormat
{
    public static ElementType Type => ElementType.Q6_K;

    public static int Bits => 6;

    public static int GroupLength => 16;

    public static int Zero => 32;

    public static bool IsAffine => false;

    public static bool HasGroups => true;

    public static void Unpack(ReadOnlySpan<byte> block, ref BlockParts parts)
    {
        parts.Scale = BinaryPrimitives.ReadHalfLittleEndian(block[208..]);
        SuperBlock.Unpack(block, 4, 0, parts.Codes, run: 64);
        SuperBlock.Unpack(block[128..], 2, 4, parts.Codes);
        MemoryMarshal.Cast<byte, sbyte>(block.Slice(192, 16)).CopyTo(parts.Scales);
    }

    public static void Quantize(ReadOnlySpan<float> values, Span<byte> block)
    {
        Span<byte> codes = stackalloc byte[SuperBlock.Length];
        Half d = SuperBlock.FitSymmetric(values, 32, 128, MemoryMarshal.Cast<byte, sbyte>(block.Slice(192, 16)), codes);
        block[..128].Clear();
        for (int i = 0; i < codes.Length; i++)
        {
            block[(i / 128 * 64) + (i % 64)] |= (byte)((codes[i] & 0xF) << (i % 128 / 64 * 4));
        }

        SuperBlock.PackTwo(codes, 4, block[128..]);
        BinaryPrimitives.WriteHalfLittleEndian(block[208..], d);
    }
}
