using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Kernels;

/// <summary>Where the codes of 32 inputs x 16 outputs lie in a unit of a panel.</summary>
/// <remarks>
/// Rows of 64 bytes, byte 4j + (i mod 4) of a row for input i of output j, so that a quad, four neighbouring inputs, is the four bytes of a lane:
/// <code>
/// 8 bits: a row for each quad
/// 4 bits: row r holds quad 2r in the low halves and quad 2r + 1 in the high halves
/// 2 bits: row r holds quads 4r .. 4r + 3, the first in the lowest bits
/// 1 bit:  one row, quad q in bit q
/// </code>
/// Codes of 5 bits have a plane of 4 and then one of 1, codes of 3 bits a plane of 2 and then one of 1. Codes of 6 bits take three rows for four
/// quads: each holds one of the first three in its low 6 bits and 2 bits of the fourth above them. One type for each number of bits, so that a
/// kernel is compiled with its own few instructions.
/// </remarks>
internal unsafe interface ICodePlanes
{
    /// <summary>Inputs of a unit.</summary>
    public const int UnitLength = 32;

    /// <summary>Inputs of a quad.</summary>
    public const int QuadLength = 4;

    /// <summary>Codes of one quad, a byte each.</summary>
    /// <param name="unit">The unit, at the first output.</param>
    /// <param name="quad">0 to 7.</param>
    static abstract V Bytes<L, V>(byte* unit, int quad)
        where L : struct, ILanes<V>;

    /// <summary>Stores the codes of one output.</summary>
    /// <param name="codes">[32]</param>
    /// <param name="unit">The unit, at the output; zero-filled where it goes.</param>
    static abstract void Pack(ReadOnlySpan<byte> codes, byte* unit);
}

/// <summary>Signed bytes.</summary>
internal readonly unsafe struct Codes8 : ICodePlanes
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Bytes<L, V>(byte* unit, int quad)
        where L : struct, ILanes<V> => L.Load((float*)(unit + (quad * CodePlane.RowBytes)));

    public static void Pack(ReadOnlySpan<byte> codes, byte* unit) => CodePlane.Pack(codes, 0, 8, unit);
}

/// <summary>Codes of 6 bits.</summary>
internal readonly unsafe struct Codes6 : ICodePlanes
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Bytes<L, V>(byte* unit, int quad)
        where L : struct, ILanes<V>
    {
        float* rows = (float*)(unit + (quad / 4 * 3 * CodePlane.RowBytes));
        return quad % 4 < 3
            ? L.MaskBytes(L.Load(rows + (quad % 4 * PackedMatrix.PanelWidth)), 0x3F)
            : L.Or(
                L.MaskBytes(L.ShiftWords(L.Load(rows), -2), 0x30),
                L.Or(
                    L.MaskBytes(L.ShiftWords(L.Load(rows + PackedMatrix.PanelWidth), -4), 0x0C),
                    L.MaskBytes(L.ShiftWords(L.Load(rows + (2 * PackedMatrix.PanelWidth)), -6), 0x03)));
    }

    public static void Pack(ReadOnlySpan<byte> codes, byte* unit)
    {
        ReadOnlySpan<uint> quads = MemoryMarshal.Cast<byte, uint>(codes);
        for (int quad = 0; quad < quads.Length; quad += 4)
        {
            uint fourth = quads[quad + 3];
            for (int row = 0; row < 3; row++, unit += CodePlane.RowBytes)
            {
                *(uint*)unit = quads[quad + row] | ((fourth >> (4 - (2 * row)) & 0x03030303) << 6);
            }
        }
    }
}

/// <summary>Codes of 5 bits.</summary>
internal readonly unsafe struct Codes5 : ICodePlanes
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Bytes<L, V>(byte* unit, int quad)
        where L : struct, ILanes<V> => L.Or(CodePlane.Four<L, V>(unit, quad), CodePlane.One<L, V>(unit + CodePlane.FourBytes, quad, 4));

    public static void Pack(ReadOnlySpan<byte> codes, byte* unit)
    {
        CodePlane.Pack(codes, 0, 4, unit);
        CodePlane.Pack(codes, 4, 1, unit + CodePlane.FourBytes);
    }
}

/// <summary>Codes of 4 bits.</summary>
internal readonly unsafe struct Codes4 : ICodePlanes
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Bytes<L, V>(byte* unit, int quad)
        where L : struct, ILanes<V> => CodePlane.Four<L, V>(unit, quad);

    public static void Pack(ReadOnlySpan<byte> codes, byte* unit) => CodePlane.Pack(codes, 0, 4, unit);
}

/// <summary>Codes of 3 bits.</summary>
internal readonly unsafe struct Codes3 : ICodePlanes
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Bytes<L, V>(byte* unit, int quad)
        where L : struct, ILanes<V> => L.Or(CodePlane.Two<L, V>(unit, quad, 0), CodePlane.One<L, V>(unit + CodePlane.TwoBytes, quad, 2));

    public static void Pack(ReadOnlySpan<byte> codes, byte* unit)
    {
        CodePlane.Pack(codes, 0, 2, unit);
        CodePlane.Pack(codes, 2, 1, unit + CodePlane.TwoBytes);
    }
}

/// <summary>Codes of 2 bits.</summary>
internal readonly unsafe struct Codes2 : ICodePlanes
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Bytes<L, V>(byte* unit, int quad)
        where L : struct, ILanes<V> => CodePlane.Two<L, V>(unit, quad, 0);

    public static void Pack(ReadOnlySpan<byte> codes, byte* unit) => CodePlane.Pack(codes, 0, 2, unit);
}

/// <summary>One plane of a unit: some bits of each code.</summary>
internal static unsafe class CodePlane
{
    public const int RowBytes = ICodePlanes.QuadLength * PackedMatrix.PanelWidth;

    public const int FourBytes = 4 * RowBytes;

    public const int TwoBytes = 2 * RowBytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Four<L, V>(byte* plane, int quad)
        where L : struct, ILanes<V>
    {
        V row = L.Load((float*)(plane + (quad / 2 * RowBytes)));
        return L.MaskBytes(quad % 2 == 0 ? row : L.ShiftWords(row, -4), 15);
    }

    /// <summary>Two bits, <paramref name="to"/> up.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Two<L, V>(byte* plane, int quad, int to)
        where L : struct, ILanes<V>
    {
        V row = L.Load((float*)(plane + (quad / 4 * RowBytes)));
        return L.MaskBytes(L.ShiftWords(row, to - (quad % 4 * 2)), (byte)(3 << to));
    }

    /// <summary>One bit, <paramref name="to"/> up.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V One<L, V>(byte* plane, int quad, int to)
        where L : struct, ILanes<V> => L.MaskBytes(L.ShiftWords(L.Load((float*)plane), to - quad), (byte)(1 << to));

    /// <summary>Puts <paramref name="width"/> bits of each code, those from <paramref name="from"/> up, into a plane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pack(ReadOnlySpan<byte> codes, int from, int width, byte* plane)
    {
        // Quads of a byte are a power of two; dividing by a variable would take longer than all the rest.
        int shift = 3 - BitOperations.Log2((uint)width);
        uint mask = ((1u << width) - 1) * 0x01010101;
        ReadOnlySpan<uint> quads = MemoryMarshal.Cast<byte, uint>(codes);
        for (int quad = 0; quad < quads.Length; quad++)
        {
            int bit = (quad & ((1 << shift) - 1)) * width;
            *(uint*)(plane + ((quad >> shift) * RowBytes)) |= ((quads[quad] >> from) & mask) << bit;
        }
    }
}
