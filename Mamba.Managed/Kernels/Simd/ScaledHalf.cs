using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Mamba.Managed.Kernels.Simd;

/// <summary>Half-precision numbers multiplied by 1024, as panels store them.</summary>
/// <remarks>
/// A half converts to single precision by shifting its exponent and fraction into place and multiplying by a factor that corrects the exponent bias. But
/// a subnormal half gives a subnormal single on the way, and arithmetic with subnormals is slow; weights near 0 and scales of blocks often are subnormal.
/// Multiplied by 1024 none is: the smallest half, 2^-24, becomes the smallest normal one.
/// </remarks>
internal static class ScaledHalf
{
    /// <summary>The factor of stored numbers.</summary>
    public const float Scale = 1024;

    /// <summary>The factor after the bits have been shifted into place: 2^112 for the bias, divided by 1024.</summary>
    public const float Factor = 5.192296858534828e33f / Scale;

    private const int FractionBits = 10;
    private const int Fraction = (1 << FractionBits) - 1;
    private const int ExponentStep = 10 << FractionBits;
    private const int Infinity = 0x7C00;

    /// <summary>Multiplies a half by 1024.</summary>
    /// <param name="bits">The half.</param>
    /// <param name="scaled">1024 times that.</param>
    /// <returns>False for infinity, NaN and magnitudes from 64 up, whose product does not fit.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryScale(ushort bits, out ushort scaled)
    {
        int magnitude = bits & 0x7FFF;
        scaled = magnitude > Fraction ? (ushort)(bits + ExponentStep) : ScaleSubnormal(bits);
        return magnitude < Infinity - ExponentStep;
    }

    /// <summary>Multiplies eight halves at once.</summary>
    /// <returns>False where one is too large or subnormal: then they have to be multiplied one by one.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryScale(Vector128<ushort> bits, out Vector128<ushort> scaled)
    {
        Vector128<ushort> magnitude = bits & Vector128.Create((ushort)0x7FFF);
        scaled = bits + Vector128.Create((ushort)ExponentStep);
        return Vector128.GreaterThanAll(magnitude.AsInt16(), Vector128.Create((short)Fraction))
            && Vector128.LessThanAll(magnitude.AsInt16(), Vector128.Create((short)(Infinity - ExponentStep)));
    }

    // The product is normal: its leading bit becomes the hidden bit.
    private static ushort ScaleSubnormal(ushort bits)
    {
        int magnitude = bits & Fraction;
        int shift = BitOperations.LeadingZeroCount((uint)magnitude) - (31 - FractionBits);
        return magnitude == 0 ? bits : (ushort)((bits & 0x8000) | ((FractionBits + 1 - shift) << FractionBits) | ((magnitude << shift) & Fraction));
    }
}
