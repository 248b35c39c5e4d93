using System.Runtime.CompilerServices;

namespace Mamba.Managed.Kernels.Simd;

/// <summary>One lane: the tail of every kernel, and the whole kernel where there are no vectors.</summary>
internal readonly unsafe struct LanesScalar : ILanes<float>
{
    public static int Count => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Load(float* source) => *source;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* destination, float value) => *destination = value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Broadcast(float value) => value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Add(float a, float b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Subtract(float a, float b) => a - b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Multiply(float a, float b) => a * b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Divide(float a, float b) => a / b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MultiplyAdd(float a, float b, float c) => MathF.FusedMultiplyAdd(a, b, c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Max(float limit, float x) => limit > x ? limit : x;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Min(float limit, float x) => limit < x ? limit : x;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Abs(float x) => MathF.Abs(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sqrt(float x) => MathF.Sqrt(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float PowerOfTwo(float biased) => BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(biased) << 23);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float FromHalf(ushort* source) => (float)BitConverter.UInt16BitsToHalf(*source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float FromBFloat16(ushort* source) => BitConverter.UInt32BitsToSingle((uint)*source << 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float FromSigned(byte* source) => (sbyte)*source;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float FromBits(byte* source, int shift, int mask) => (*source >> shift) & mask;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float FromBits(byte* low, int shift, int mask, byte* high, int highShift, int highMask, int width) =>
        ((*low >> shift) & mask) | (((*high >> highShift) & highMask) << width);
}
