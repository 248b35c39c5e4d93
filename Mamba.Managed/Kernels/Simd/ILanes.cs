namespace Mamba.Managed.Kernels.Simd;

/// <summary>The vector operations of which kernels are written, once for all vector widths.</summary>
/// <remarks>
/// Static members over plain vectors, so that the JIT sees nothing but intrinsics. Every operation is exact or correctly rounded, so each lane holds the
/// bits that a narrower vector or scalar code would compute: the tail of a loop needs no care, and no result depends on the width.
/// </remarks>
internal unsafe interface ILanes<V>
{
    /// <summary>Values of one vector.</summary>
    static abstract int Count { get; }

    static abstract V Load(float* source);

    static abstract void Store(float* destination, V value);

    static abstract V Broadcast(float value);

    static abstract V Add(V a, V b);

    static abstract V Subtract(V a, V b);

    static abstract V Multiply(V a, V b);

    static abstract V Divide(V a, V b);

    /// <summary>a b + c, rounded once.</summary>
    static abstract V MultiplyAdd(V a, V b, V c);

    /// <summary>The larger of both; NaN where <paramref name="x"/> is NaN.</summary>
    static abstract V Max(V limit, V x);

    /// <summary>The smaller of both; NaN where <paramref name="x"/> is NaN.</summary>
    static abstract V Min(V limit, V x);

    static abstract V Abs(V x);

    static abstract V Sqrt(V x);

    /// <summary>The low 9 bits shifted into sign and exponent: 2^n for a value whose low bits hold n + 127.</summary>
    static abstract V PowerOfTwo(V biased);

    /// <summary>Loads consecutive half-precision numbers, stored as <see cref="ScaledHalf"/>.</summary>
    static abstract V FromScaledHalf(ushort* source);

    /// <summary>Loads consecutive signed bytes and converts them.</summary>
    static abstract V FromSigned(byte* source);

    // From here on lanes are integers: one of 32 bits, two words of 16 bits or four bytes, the first in the lowest bits.

    /// <summary>Shifts each lane to the left.</summary>
    static abstract V ShiftLeft(V integers, int count);

    /// <summary>Shifts each lane to the right arithmetically.</summary>
    static abstract V ShiftRight(V integers, int count);

    /// <summary>Bitwise and of each lane with <paramref name="mask"/>.</summary>
    static abstract V Mask(V integers, int mask);

    /// <summary>Shifts each word to the left, or logically to the right by a negative count.</summary>
    static abstract V ShiftWords(V words, int count);

    /// <summary>Bitwise and of each byte with <paramref name="mask"/>.</summary>
    static abstract V MaskBytes(V bytes, byte mask);

    /// <summary>Bitwise exclusive or of each byte with <paramref name="mask"/>.</summary>
    static abstract V FlipBytes(V bytes, byte mask);

    /// <summary>The first two bytes of each lane, sign-extended to words.</summary>
    static abstract V FirstTwo(V bytes);

    /// <summary>The last two bytes of each lane, sign-extended to words.</summary>
    static abstract V LastTwo(V bytes);

    static abstract V Or(V a, V b);

    /// <summary>For each lane the sum of the products of its two signed words (pmaddwd).</summary>
    static abstract V MultiplyAddWords(V a, V b);

    /// <summary>For each word the sum of the products of its two bytes (pmaddubsw); the sum must fit.</summary>
    static abstract V MultiplyAddBytes(V unsigned, V signed);

    /// <summary>The same for two signed factors; no byte of <paramref name="b"/> may be -128.</summary>
    static abstract V MultiplyAddSignedBytes(V a, V b);

    /// <summary>Whether <see cref="DotAccumulate"/> is one instruction; then sums of two products need not fit a word.</summary>
    static virtual bool HasDotAccumulate => false;

    // Abstract rather than a default that throws: around any call that is not inlined, even one never made, the JIT spills 512-bit vectors to memory.
    /// <summary>Adds the products of the four bytes of each lane (vpdpbusd); unless it is one instruction, sums of two products must fit a word.</summary>
    static abstract V DotAccumulate(V sum, V unsigned, V signed);

    static abstract V AddWords(V a, V b);

    static abstract V AddIntegers(V a, V b);

    static abstract V MaxIntegers(V a, V b);

    static abstract V ToSingle(V integers);

    /// <summary>Stores the lowest byte of each lane.</summary>
    static abstract void StoreBytes(byte* destination, V integers);

    /// <summary>Stores the lower word of each lane.</summary>
    static abstract void StoreWords(ushort* destination, V integers);

    /// <summary>The largest of all lanes.</summary>
    static abstract int Largest(V integers);

    /// <summary>The sum of all lanes.</summary>
    static abstract int Sum(V integers);
}
