using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Mamba.Managed.Kernels.Simd;

/// <summary>Numbers of half precision times 1024, as panels hold them.</summary>
/// <remarks>
/// Half precision becomes single precision when exponent and fraction move to their places and a factor makes up for the other bias. What is
/// subnormal before is subnormal after, and processors compute slowly with such a number. Weights near 0 and the
/// scales of blocks often are. Times 1024 none is left: the smallest, 2^-24, becomes the smallest normal number.
/// </remarks>
internal static class ScaledHalf
{
    /// <summary>What numbers are multiplied by.</summary>
    public const float Scale = 1024;

    /// <summary>What a number moved to its places must be multiplied by: 2^112 / 1024.</summary>
    public const float Factor = 5.192296858534828e33f / Scale;

    private const int FractionBits = 10;
    private const int Fraction = (1 << FractionBits) - 1;
    private const int ExponentStep = 10 << FractionBits;
    private const int Infinity = 0x7C00;

    /// <summary>Multiplies.</summary>
    /// <param name="bits">A number of half precision.</param>
    /// <param name="scaled">1024 times that.</param>
    /// <returns>False for infinity, NaN and numbers from 64 up, whose product does not fit.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryScale(ushort bits, out ushort scaled)
    {
        int magnitude = bits & 0x7FFF;
        scaled = magnitude > Fraction ? (ushort)(bits + ExponentStep) : ScaleSubnormal(bits);
        return magnitude < Infinity - ExponentStep;
    }

    /// <summary>Multiplies eight numbers at once.</summary>
    /// <returns>False where one is too large, or subnormal: those have to be taken one by one.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryScale(Vector128<ushort> bits, out Vector128<ushort> scaled)
    {
        Vector128<ushort> magnitude = bits & Vector128.Create((ushort)0x7FFF);
        scaled = bits + Vector128.Create((ushort)ExponentStep);
        return Vector128.GreaterThanAll(magnitude.AsInt16(), Vector128.Create((short)Fraction))
            && Vector128.LessThanAll(magnitude.AsInt16(), Vector128.Create((short)(Infinity - ExponentStep)));
    }

    // The highest bit becomes the hidden one.
    private static ushort ScaleSubnormal(ushort bits)
    {
        int magnitude = bits & Fraction;
        int shift = BitOperations.LeadingZeroCount((uint)magnitude) - (31 - FractionBits);
        return magnitude == 0 ? bits : (ushort)((bits & 0x8000) | ((FractionBits + 1 - shift) << FractionBits) | ((magnitude << shift) & Fraction));
    }
}
