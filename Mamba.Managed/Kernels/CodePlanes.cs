using System.Numerics;
using System.Runtime.CompilerServices;
using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Kernels;

/// <summary>Where the codes of 16 inputs x 16 outputs lie in a unit of a panel.</summary>
/// <remarks>
/// Rows of 32 bytes, byte 2j + (i mod 2) of a row for input i of output j, so that two neighbouring inputs become the two words of a lane:
/// <code>
/// 8 bits: a row for each pair of inputs
/// 4 bits: row r holds pair 2r in the low halves and pair 2r + 1 in the high halves
/// 2 bits: row r holds pairs 4r .. 4r + 3, the first in the lowest bits
/// 1 bit:  one row, pair p in bit p
/// </code>
/// Codes of 5 and 6 bits have a plane of 4 and then one of 1 or 2, codes of 3 bits a plane of 2 and then one of 1. One type for each number of
/// bits, so that a kernel is compiled with its own few instructions.
/// </remarks>
internal unsafe interface ICodePlanes
{
    /// <summary>Inputs of a unit.</summary>
    public const int UnitLength = 16;

    /// <summary>Codes of one pair of inputs, as signed words.</summary>
    /// <param name="unit">The unit, at the first output.</param>
    /// <param name="pair">0 to 7.</param>
    static abstract V Words<L, V>(byte* unit, int pair)
        where L : struct, ILanes<V>;

    /// <summary>Stores the codes of one output.</summary>
    /// <param name="codes">[16]</param>
    /// <param name="unit">The unit, at the output; zero-filled where it goes.</param>
    static abstract void Pack(ReadOnlySpan<byte> codes, byte* unit);
}

/// <summary>Signed bytes.</summary>
internal readonly unsafe struct Codes8 : ICodePlanes
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Words<L, V>(byte* unit, int pair)
        where L : struct, ILanes<V> => L.SignedWords(unit + (pair * CodePlane.RowBytes));

    public static void Pack(ReadOnlySpan<byte> codes, byte* unit) => CodePlane.Pack(codes, 0, 8, unit);
}

/// <summary>Codes of 6 bits.</summary>
internal readonly unsafe struct Codes6 : ICodePlanes
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Words<L, V>(byte* unit, int pair)
        where L : struct, ILanes<V> => L.Or(CodePlane.Four<L, V>(unit, pair), CodePlane.Two<L, V>(unit + CodePlane.FourBytes, pair, 4));

    public static void Pack(ReadOnlySpan<byte> codes, byte* unit)
    {
        CodePlane.Pack(codes, 0, 4, unit);
        CodePlane.Pack(codes, 4, 2, unit + CodePlane.FourBytes);
    }
}

/// <summary>Codes of 5 bits.</summary>
internal readonly unsafe struct Codes5 : ICodePlanes
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Words<L, V>(byte* unit, int pair)
        where L : struct, ILanes<V> => L.Or(CodePlane.Four<L, V>(unit, pair), CodePlane.One<L, V>(unit + CodePlane.FourBytes, pair, 4));

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
    public static V Words<L, V>(byte* unit, int pair)
        where L : struct, ILanes<V> => CodePlane.Four<L, V>(unit, pair);

    public static void Pack(ReadOnlySpan<byte> codes, byte* unit) => CodePlane.Pack(codes, 0, 4, unit);
}

/// <summary>Codes of 3 bits.</summary>
internal readonly unsafe struct Codes3 : ICodePlanes
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Words<L, V>(byte* unit, int pair)
        where L : struct, ILanes<V> => L.Or(CodePlane.Two<L, V>(unit, pair, 0), CodePlane.One<L, V>(unit + CodePlane.TwoBytes, pair, 2));

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
    public static V Words<L, V>(byte* unit, int pair)
        where L : struct, ILanes<V> => CodePlane.Two<L, V>(unit, pair, 0);

    public static void Pack(ReadOnlySpan<byte> codes, byte* unit) => CodePlane.Pack(codes, 0, 2, unit);
}

/// <summary>One plane of a unit: some bits of each code.</summary>
internal static unsafe class CodePlane
{
    public const int RowBytes = 2 * PackedMatrix.PanelWidth;

    public const int FourBytes = 4 * RowBytes;

    public const int TwoBytes = 2 * RowBytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Four<L, V>(byte* plane, int pair)
        where L : struct, ILanes<V>
    {
        V bytes = L.Words(plane + (pair / 2 * RowBytes));
        return pair % 2 == 0 ? L.MaskWords(bytes, 15) : L.ShiftWords(bytes, -4);
    }

    /// <summary>Two bits, <paramref name="to"/> up.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Two<L, V>(byte* plane, int pair, int to)
        where L : struct, ILanes<V> => L.MaskWords(L.ShiftWords(L.Words(plane + (pair / 4 * RowBytes)), to - (pair % 4 * 2)), (short)(3 << to));

    /// <summary>One bit, <paramref name="to"/> up.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V One<L, V>(byte* plane, int pair, int to)
        where L : struct, ILanes<V> => L.MaskWords(L.ShiftWords(L.Words(plane), to - pair), (short)(1 << to));

    /// <summary>Puts <paramref name="width"/> bits of each code, those from <paramref name="from"/> up, into a plane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pack(ReadOnlySpan<byte> codes, int from, int width, byte* plane)
    {
        // Pairs of a byte are a power of two; dividing by a variable would take longer than all the rest.
        int shift = 3 - BitOperations.Log2((uint)width), mask = (1 << width) - 1;
        for (int pair = 0; pair < ICodePlanes.UnitLength / 2; pair++)
        {
            byte* row = plane + ((pair >> shift) * RowBytes);
            int bit = (pair & ((1 << shift) - 1)) * width;
            row[0] |= (byte)(((codes[2 * pair] >> from) & mask) << bit);
            row[1] |= (byte)(((codes[(2 * pair) + 1] >> from) & mask) << bit);
        }
    }
}
