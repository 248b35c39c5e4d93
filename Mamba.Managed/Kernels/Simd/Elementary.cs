using System.Runtime.CompilerServices;

namespace Mamba.Managed.Kernels.Simd;

/// <summary>Elementary functions, each one fixed sequence of correctly rounded operations: the same bits at every width.</summary>
internal static class Elementary
{
    // Adding this rounds to a whole number n and leaves n + 127, the biased exponent of 2^n, in the low bits.
    private const float Rounder = 12582912f + 127f;
    private const float Log2E = 1.44269504088896341f;

    /// <summary>2^x, relative error below 3e-7; 0 below -127, infinity above 127.5, NaN for NaN.</summary>
    /// <remarks>x = n + f with |f| at most 1/2; a polynomial of degree 5 fits 2^f. Results below 2^-126 flush to 0.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Exp2<L, V>(V x)
        where L : struct, ILanes<V>
    {
        x = L.Min(L.Broadcast(128f), L.Max(L.Broadcast(-127f), x));
        V biased = L.Add(x, L.Broadcast(Rounder));
        V f = L.Subtract(x, L.Subtract(biased, L.Broadcast(Rounder)));
        V p = L.Broadcast(1.326472153e-03f);
        p = L.MultiplyAdd(p, f, L.Broadcast(9.671513336e-03f));
        p = L.MultiplyAdd(p, f, L.Broadcast(5.550733762e-02f));
        p = L.MultiplyAdd(p, f, L.Broadcast(2.402224207e-01f));
        p = L.MultiplyAdd(p, f, L.Broadcast(6.931469776e-01f));
        p = L.MultiplyAdd(p, f, L.Broadcast(1f));
        return L.Multiply(p, L.PowerOfTwo(biased));
    }

    /// <summary>e^x, relative error below 4e-7 + 6e-8 |x|.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Exp<L, V>(V x)
        where L : struct, ILanes<V> => Exp2<L, V>(L.Multiply(x, L.Broadcast(Log2E)));

    /// <summary>x sigmoid(x) = x / (1 + e^-x).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Silu<L, V>(V x)
        where L : struct, ILanes<V> =>
        L.Divide(x, L.Add(L.Broadcast(1f), Exp2<L, V>(L.Multiply(x, L.Broadcast(-Log2E)))));

    /// <summary>log(1 + e^x) = max(x, 0) + log(1 + e^-|x|), without overflow and with small relative error at both ends.</summary>
    /// <remarks>log(1 + y) = 2 atanh(s) with s = y / (2 + y), at most 1/3, by its series to s^13; the rest is below 2e-8.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Softplus<L, V>(V x)
        where L : struct, ILanes<V>
    {
        V y = Exp2<L, V>(L.Multiply(L.Abs(x), L.Broadcast(-Log2E)));
        V s = L.Divide(y, L.Add(y, L.Broadcast(2f)));
        V q = L.Multiply(s, s);
        V p = L.Broadcast(2f / 13);
        p = L.MultiplyAdd(p, q, L.Broadcast(2f / 11));
        p = L.MultiplyAdd(p, q, L.Broadcast(2f / 9));
        p = L.MultiplyAdd(p, q, L.Broadcast(2f / 7));
        p = L.MultiplyAdd(p, q, L.Broadcast(2f / 5));
        p = L.MultiplyAdd(p, q, L.Broadcast(2f / 3));
        p = L.MultiplyAdd(p, q, L.Broadcast(2f));
        return L.MultiplyAdd(p, s, L.Max(L.Broadcast(0f), x));
    }
}
