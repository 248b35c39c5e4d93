using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Mamba.Managed.Kernels.Simd;

/// <summary>Four lanes: Arm64, or x64 with FMA.</summary>
internal readonly unsafe struct Lanes128 : ILanes<Vector128<float>>
{
    public static int Count => Vector128<float>.Count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Load(float* source) => Vector128.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* destination, Vector128<float> value) => value.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Broadcast(float value) => Vector128.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Add(Vector128<float> a, Vector128<float> b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Subtract(Vector128<float> a, Vector128<float> b) => a - b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Multiply(Vector128<float> a, Vector128<float> b) => a * b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Divide(Vector128<float> a, Vector128<float> b) => a / b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> MultiplyAdd(Vector128<float> a, Vector128<float> b, Vector128<float> c) => Vector128.FusedMultiplyAdd(a, b, c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Max(Vector128<float> limit, Vector128<float> x) => Vector128.MaxNative(limit, x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Min(Vector128<float> limit, Vector128<float> x) => Vector128.MinNative(limit, x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Abs(Vector128<float> x) => Vector128.Abs(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Sqrt(Vector128<float> x) => Vector128.Sqrt(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> PowerOfTwo(Vector128<float> biased) => Vector128.ShiftLeft(biased.AsInt32(), 23).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> FromHalf(ushort* source) =>
        // Exponent and fraction to their places, the sign kept; the factor makes up for the other bias, of subnormal numbers too.
        ((Vector128.WidenLower(Vector128.CreateScalarUnsafe(*(ulong*)source).AsInt16()) << 13) & Vector128.Create(unchecked((int)0x8FFFE000))).AsSingle() * Vector128.Create(5.192296858534828e33f);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> FromBFloat16(ushort* source) => (Vector128.WidenLower(Vector128.CreateScalarUnsafe(*(ulong*)source).AsUInt16()).AsInt32() << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> FromSigned(byte* source) => Vector128.ConvertToSingle(Vector128.WidenLower(Vector128.WidenLower(Vector128.CreateScalarUnsafe(*(uint*)source).AsSByte())));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> FromBits(byte* source, int shift, int mask) => Vector128.ConvertToSingle(Bits(source, shift, mask));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> FromBits(byte* low, int shift, int mask, byte* high, int highShift, int highMask, int width) =>
        Vector128.ConvertToSingle(Bits(low, shift, mask) | (Bits(high, highShift, highMask) << width));

    // The topmost bits of a byte need no mask, the lowest no shift.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> Bits(byte* source, int shift, int mask)
    {
        Vector128<int> bytes = Vector128.WidenLower(Vector128.WidenLower(Vector128.CreateScalarUnsafe(*(uint*)source).AsByte())).AsInt32();
        bytes = shift == 0 ? bytes : bytes >>> shift;
        return mask << shift > 127 ? bytes : bytes & Vector128.Create(mask);
    }
}
