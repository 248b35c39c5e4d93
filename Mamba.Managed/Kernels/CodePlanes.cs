using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Kernels;

/// <summary>The layout of the codes of 32 inputs x 16 outputs, a unit of a panel.</summary>
/// <remarks>
/// Rows of 64 bytes. Byte 4j + (i mod 4) of a row belongs to input i of output j, so that a quad, four consecutive inputs, fills the four bytes of
/// a vector lane:
/// <code>
/// 8 bits: a row for each quad
/// 4 bits: row r holds quad 2r in the low halves and quad 2r + 1 in the high halves
/// 2 bits: row r holds quads 4r .. 4r + 3, the first in the lowest bits
/// 1 bit:  one row, quad q in bit q
/// </code>
/// Codes of 5 bits have a plane of 4 bits and then one of 1 bit, codes of 3 bits a plane of 2 and then one of 1. Codes of 6 bits take three rows for
/// four quads: each row holds one of the first three quads in its low 6 bits and 2 bits of the fourth quad above them. There is one type for each
/// number of bits, so that the JIT compiles a kernel with only the instructions of its format.
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
    /// <param name="unit">The unit, at the output.</param>
    static abstract void Pack(byte* codes, byte* unit);
}

/// <summary>Signed bytes.</summary>
internal readonly unsafe struct Codes8 : ICodePlanes
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Bytes<L, V>(byte* unit, int quad)
        where L : struct, ILanes<V> => L.Load((float*)(unit + (quad * CodePlane.RowBytes)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Pack(byte* codes, byte* unit)
    {
        for (int i = 0; i < ICodePlanes.UnitLength; i += ICodePlanes.QuadLength, unit += CodePlane.RowBytes)
        {
            *(uint*)unit = *(uint*)(codes + i);
        }
    }
}

/// <summary>Codes of 6 bits.</summary>
internal readonly unsafe struct Codes6 : ICodePlanes
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Bytes<L, V>(byte* unit, int quad)
        where L : struct, ILanes<V>
    {
        float* first = (float*)(unit + (quad / 4 * 3 * CodePlane.RowBytes)), second = first + PackedMatrix.PanelWidth, third = second + PackedMatrix.PanelWidth;
        return (quad % 4) switch
        {
            0 => L.MaskBytes(L.Load(first), 0x3F),
            1 => L.MaskBytes(L.Load(second), 0x3F),
            2 => L.MaskBytes(L.Load(third), 0x3F),
            _ => Down<L, V>(L.Or(Upper<L, V>(first), Down<L, V>(L.Or(Upper<L, V>(second), Down<L, V>(Upper<L, V>(third)))))),
        };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Pack(byte* codes, byte* unit)
    {
        const uint Two = 0xC0C0C0C0;
        uint* quads = (uint*)codes;
        for (uint* end = quads + (ICodePlanes.UnitLength / ICodePlanes.QuadLength); quads < end; quads += 4, unit += 3 * CodePlane.RowBytes)
        {
            uint fourth = quads[3];
            *(uint*)unit = quads[0] | ((fourth << 2) & Two);
            *(uint*)(unit + CodePlane.RowBytes) = quads[1] | ((fourth << 4) & Two);
            *(uint*)(unit + (2 * CodePlane.RowBytes)) = quads[2] | ((fourth << 6) & Two);
        }
    }

    // The same mask for all three rows: registers are scarce in the kernels.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Upper<L, V>(float* row)
        where L : struct, ILanes<V> => L.MaskBytes(L.Load(row), 0xC0);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Down<L, V>(V bits)
        where L : struct, ILanes<V> => L.ShiftWords(bits, -2);
}

/// <summary>Codes of 5 bits.</summary>
internal readonly unsafe struct Codes5 : ICodePlanes
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Bytes<L, V>(byte* unit, int quad)
        where L : struct, ILanes<V> => L.Or(CodePlane.Four<L, V>(unit, quad), CodePlane.One<L, V>(unit + CodePlane.FourBytes, quad, 4));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Pack(byte* codes, byte* unit)
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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Pack(byte* codes, byte* unit) => CodePlane.Pack(codes, 0, 4, unit);
}

/// <summary>Codes of 3 bits.</summary>
internal readonly unsafe struct Codes3 : ICodePlanes
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Bytes<L, V>(byte* unit, int quad)
        where L : struct, ILanes<V> => L.Or(CodePlane.Two<L, V>(unit, quad, 0), CodePlane.One<L, V>(unit + CodePlane.TwoBytes, quad, 2));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Pack(byte* codes, byte* unit)
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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Pack(byte* codes, byte* unit) => CodePlane.Pack(codes, 0, 2, unit);
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

    /// <summary>Two bits of each code, shifted to bit <paramref name="to"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Two<L, V>(byte* plane, int quad, int to)
        where L : struct, ILanes<V>
    {
        V row = L.Load((float*)(plane + (quad / 4 * RowBytes)));
        return L.MaskBytes(L.ShiftWords(row, to - (quad % 4 * 2)), (byte)(3 << to));
    }

    /// <summary>One bit of each code, shifted to bit <paramref name="to"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V One<L, V>(byte* plane, int quad, int to)
        where L : struct, ILanes<V> => L.MaskBytes(L.ShiftWords(L.Load((float*)plane), to - quad), (byte)(1 << to));

    /// <summary>Stores <paramref name="width"/> bits of each code, those from <paramref name="from"/> up.</summary>
    /// <param name="codes">[32]</param>
    /// <param name="from">The lowest of the bits.</param>
    /// <param name="width">How many: 1, 2 or 4.</param>
    /// <param name="plane">The plane, at the output.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Pack(byte* codes, int from, int width, byte* plane)
    {
        ulong* quads = (ulong*)codes;
        uint a = Join(quads[0], from, width), b = Join(quads[1], from, width), c = Join(quads[2], from, width), d = Join(quads[3], from, width);
        if (width == 1)
        {
            *(uint*)plane = a | (b << 2) | (c << 4) | (d << 6);
        }
        else if (width == 2)
        {
            *(uint*)plane = a | (b << 4);
            *(uint*)(plane + RowBytes) = c | (d << 4);
        }
        else
        {
            *(uint*)plane = a;
            *(uint*)(plane + RowBytes) = b;
            *(uint*)(plane + (2 * RowBytes)) = c;
            *(uint*)(plane + (3 * RowBytes)) = d;
        }
    }

    // Some bits of two consecutive quads in one word: those of the second quad above those of the first.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Join(ulong quads, int from, int width)
    {
        ulong bits = (quads >> from) & (((1UL << width) - 1) * 0x0101010101010101);
        return (uint)(bits | (bits >> (32 - width)));
    }
}
