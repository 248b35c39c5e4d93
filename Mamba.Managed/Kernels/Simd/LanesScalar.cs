using System.Runtime.CompilerServices;

namespace Mamba.Managed.Kernels.Simd;

/// <summary>One lane: the tail of kernels, and whole kernels where there are no vectors.</summary>
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
    public static float FromScaledHalf(ushort* source) => (float)BitConverter.UInt16BitsToHalf(*source) / ScaledHalf.Scale;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float FromSigned(byte* source) => (sbyte)*source;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float ShiftLeft(float integers, int count) => Lane(Integer(integers) << count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float ShiftRight(float integers, int count) => Lane(Integer(integers) >> count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Mask(float integers, int mask) => Lane(Integer(integers) & mask);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float ShiftWords(float words, int count)
    {
        (ushort low, ushort high) = ((ushort)Integer(words), (ushort)(Integer(words) >>> 16));
        return count >= 0 ? Lane((ushort)(low << count) | (high << count << 16)) : Lane((low >> -count) | (high >> -count << 16));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MaskBytes(float bytes, byte mask) => Lane(Integer(bytes) & (mask * 0x01010101));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float FlipBytes(float bytes, byte mask) => Lane(Integer(bytes) ^ (mask * 0x01010101));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float FirstTwo(float bytes) => Words((sbyte)Integer(bytes), (sbyte)(Integer(bytes) >> 8));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float LastTwo(float bytes) => Words((sbyte)(Integer(bytes) >> 16), Integer(bytes) >> 24);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Or(float a, float b) => Lane(Integer(a) | Integer(b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MultiplyAddWords(float a, float b) =>
        Lane(((short)Integer(a) * (short)Integer(b)) + ((Integer(a) >> 16) * (Integer(b) >> 16)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MultiplyAddBytes(float unsigned, float signed)
    {
        (int a, int b) = (Integer(unsigned), Integer(signed));
        return Words(((byte)a * (sbyte)b) + ((byte)(a >> 8) * (sbyte)(b >> 8)), ((byte)(a >> 16) * (sbyte)(b >> 16)) + ((a >>> 24) * (b >> 24)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MultiplyAddSignedBytes(float a, float b)
    {
        (int x, int y) = (Integer(a), Integer(b));
        return Words(((sbyte)x * (sbyte)y) + ((sbyte)(x >> 8) * (sbyte)(y >> 8)), ((sbyte)(x >> 16) * (sbyte)(y >> 16)) + ((x >> 24) * (y >> 24)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float DotAccumulate(float sum, float unsigned, float signed) =>
        AddIntegers(sum, MultiplyAddWords(MultiplyAddBytes(unsigned, signed), Lane(0x00010001)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float AddWords(float a, float b) => Words((short)Integer(a) + (short)Integer(b), (Integer(a) >> 16) + (Integer(b) >> 16));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float AddIntegers(float a, float b) => Lane(Integer(a) + Integer(b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MaxIntegers(float a, float b) => Lane(Math.Max(Integer(a), Integer(b)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float ToSingle(float integers) => Integer(integers);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreBytes(byte* destination, float integers) => *destination = (byte)Integer(integers);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreWords(ushort* destination, float integers) => *destination = (ushort)Integer(integers);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Largest(float integers) => Integer(integers);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Sum(float integers) => Integer(integers);

    private static float Words(int low, int high) => Lane((low & 0xFFFF) | (high << 16));

    private static float Lane(int bits) => BitConverter.Int32BitsToSingle(bits);

    private static int Integer(float lane) => BitConverter.SingleToInt32Bits(lane);
}
