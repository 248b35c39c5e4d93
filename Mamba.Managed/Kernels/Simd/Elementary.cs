using System.Runtime.CompilerServices;

namespace Mamba.Managed.Kernels.Simd;

/// <summary>Elementary functions. Each is a fixed sequence of correctly rounded operations, so it gives the same bits at every vector width.</summary>
internal static class Elementary
{
    /// <summary>log2(e): e^x = 2^(x log2(e)).</summary>
    public const float Log2E = 1.44269504088896341f;

    /// <summary>ln(2) = 1 / log2(e).</summary>
    public const float Ln2 = 0.693147180559945309f;

    // 1.5 x 2^23 + 127: adding it rounds x to an integer n and leaves n + 127, the biased exponent of 2^n, in the low bits of the sum.
    private const float Rounder = 12582912f + 127f;

    // The same for Exp2Normal, which adds n + 1 to the exponent of a polynomial scaled by 1/2. It leaves n + 1 instead of n + 127; both offsets are odd,
    // so ties round to the same n.
    private const float NormalRounder = 12582912f + 1f;

    // Coefficients of the polynomial for 2^f.
    private const float Power1 = 6.931469776e-01f;
    private const float Power2 = 2.402224207e-01f;
    private const float Power3 = 5.550733762e-02f;
    private const float Power4 = 9.671513336e-03f;
    private const float Power5 = 1.326472153e-03f;

    /// <summary>Up to this magnitude of x, 2^x and every intermediate result are normal numbers.</summary>
    public const float Exp2NormalLimit = 125f;

    /// <summary>2^x, relative error below 3e-7; 0 below -127, infinity above 127.5, NaN for NaN.</summary>
    /// <remarks>x = n + f with |f| at most 1/2; a polynomial of degree 5 fits 2^f. Results below 2^-126 flush to 0.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Exp2<L, V>(V x)
        where L : struct, ILanes<V>
    {
        x = L.Min(L.Broadcast(128f), L.Max(L.Broadcast(-127f), x));
        V biased = L.Add(x, L.Broadcast(Rounder));
        V f = L.Subtract(x, L.Subtract(biased, L.Broadcast(Rounder)));
        V p = L.Broadcast(Power5);
        p = L.MultiplyAdd(p, f, L.Broadcast(Power4));
        p = L.MultiplyAdd(p, f, L.Broadcast(Power3));
        p = L.MultiplyAdd(p, f, L.Broadcast(Power2));
        p = L.MultiplyAdd(p, f, L.Broadcast(Power1));
        p = L.MultiplyAdd(p, f, L.Broadcast(1f));
        return L.Multiply(p, L.PowerOfTwo(biased));
    }

    /// <summary>Four of <see cref="Exp2{L, V}(V)"/>, interleaved to hide the latency of each.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Exp2<L, V>(ref V x0, ref V x1, ref V x2, ref V x3)
        where L : struct, ILanes<V>
    {
        V c = L.Broadcast(-127f);
        (x0, x1, x2, x3) = (L.Max(c, x0), L.Max(c, x1), L.Max(c, x2), L.Max(c, x3));
        c = L.Broadcast(128f);
        (x0, x1, x2, x3) = (L.Min(c, x0), L.Min(c, x1), L.Min(c, x2), L.Min(c, x3));
        Split<L, V>(Rounder, 1f, ref x0, ref x1, ref x2, ref x3, out V n0, out V n1, out V n2, out V n3);
        x0 = L.Multiply(x0, L.PowerOfTwo(n0));
        x1 = L.Multiply(x1, L.PowerOfTwo(n1));
        x2 = L.Multiply(x2, L.PowerOfTwo(n2));
        x3 = L.Multiply(x3, L.PowerOfTwo(n3));
    }

    /// <summary>Four of <see cref="Exp2{L, V}(V)"/>, with the same bits but fewer operations, for |x| up to <see cref="Exp2NormalLimit"/>.</summary>
    /// <remarks>All results are normal, so 2^n is applied by adding n + 1 to the exponent bits of half the polynomial.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Exp2Normal<L, V>(ref V x0, ref V x1, ref V x2, ref V x3)
        where L : struct, ILanes<V>
    {
        Split<L, V>(NormalRounder, 0.5f, ref x0, ref x1, ref x2, ref x3, out V n0, out V n1, out V n2, out V n3);
        x0 = L.AddIntegers(x0, L.PowerOfTwo(n0));
        x1 = L.AddIntegers(x1, L.PowerOfTwo(n1));
        x2 = L.AddIntegers(x2, L.PowerOfTwo(n2));
        x3 = L.AddIntegers(x3, L.PowerOfTwo(n3));
    }

    /// <summary>e^x, relative error below 4e-7 + 6e-8 |x|.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Exp<L, V>(V x)
        where L : struct, ILanes<V> => Exp2<L, V>(L.Multiply(x, L.Broadcast(Log2E)));

    /// <summary>1 / (1 + e^-x).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Sigmoid<L, V>(V x)
        where L : struct, ILanes<V> =>
        L.Divide(L.Broadcast(1f), L.Add(L.Broadcast(1f), Exp2<L, V>(L.Multiply(x, L.Broadcast(-Log2E)))));

    /// <summary>x sigmoid(x) = x / (1 + e^-x).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Silu<L, V>(V x)
        where L : struct, ILanes<V> =>
        L.Divide(x, L.Add(L.Broadcast(1f), Exp2<L, V>(L.Multiply(x, L.Broadcast(-Log2E)))));

    /// <summary>Four of <see cref="Silu{L, V}(V)"/>, interleaved.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Silu<L, V>(ref V x0, ref V x1, ref V x2, ref V x3)
        where L : struct, ILanes<V>
    {
        V c = L.Broadcast(-Log2E);
        V y0 = L.Multiply(x0, c), y1 = L.Multiply(x1, c), y2 = L.Multiply(x2, c), y3 = L.Multiply(x3, c);
        Exp2<L, V>(ref y0, ref y1, ref y2, ref y3);
        c = L.Broadcast(1f);
        (x0, x1) = (L.Divide(x0, L.Add(c, y0)), L.Divide(x1, L.Add(c, y1)));
        (x2, x3) = (L.Divide(x2, L.Add(c, y2)), L.Divide(x3, L.Add(c, y3)));
    }

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

    /// <summary>Four of <see cref="Softplus{L, V}(V)"/>, interleaved.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Softplus<L, V>(ref V x0, ref V x1, ref V x2, ref V x3)
        where L : struct, ILanes<V>
    {
        V c = L.Broadcast(-Log2E);
        V s0 = L.Multiply(L.Abs(x0), c), s1 = L.Multiply(L.Abs(x1), c), s2 = L.Multiply(L.Abs(x2), c), s3 = L.Multiply(L.Abs(x3), c);
        Exp2<L, V>(ref s0, ref s1, ref s2, ref s3);
        c = L.Broadcast(2f);
        (s0, s1) = (L.Divide(s0, L.Add(s0, c)), L.Divide(s1, L.Add(s1, c)));
        (s2, s3) = (L.Divide(s2, L.Add(s2, c)), L.Divide(s3, L.Add(s3, c)));
        V q0 = L.Multiply(s0, s0), q1 = L.Multiply(s1, s1), q2 = L.Multiply(s2, s2), q3 = L.Multiply(s3, s3);
        V p0 = L.Broadcast(2f / 13), p1 = p0, p2 = p0, p3 = p0;
        Step<L, V>(ref p0, ref p1, ref p2, ref p3, q0, q1, q2, q3, L.Broadcast(2f / 11));
        Step<L, V>(ref p0, ref p1, ref p2, ref p3, q0, q1, q2, q3, L.Broadcast(2f / 9));
        Step<L, V>(ref p0, ref p1, ref p2, ref p3, q0, q1, q2, q3, L.Broadcast(2f / 7));
        Step<L, V>(ref p0, ref p1, ref p2, ref p3, q0, q1, q2, q3, L.Broadcast(2f / 5));
        Step<L, V>(ref p0, ref p1, ref p2, ref p3, q0, q1, q2, q3, L.Broadcast(2f / 3));
        Step<L, V>(ref p0, ref p1, ref p2, ref p3, q0, q1, q2, q3, c);
        c = L.Broadcast(0f);
        (x0, x1) = (L.MultiplyAdd(p0, s0, L.Max(c, x0)), L.MultiplyAdd(p1, s1, L.Max(c, x1)));
        (x2, x3) = (L.MultiplyAdd(p2, s2, L.Max(c, x2)), L.MultiplyAdd(p3, s3, L.Max(c, x3)));
    }

    // x = n + f: x becomes the polynomial for 2^f times a scale, and n the sum with the rounder, which holds n in its low bits.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Split<L, V>(
        float rounder, float scale, ref V x0, ref V x1, ref V x2, ref V x3, out V n0, out V n1, out V n2, out V n3)
        where L : struct, ILanes<V>
    {
        V c = L.Broadcast(rounder);
        (n0, n1, n2, n3) = (L.Add(x0, c), L.Add(x1, c), L.Add(x2, c), L.Add(x3, c));
        V f0 = L.Subtract(x0, L.Subtract(n0, c)), f1 = L.Subtract(x1, L.Subtract(n1, c));
        V f2 = L.Subtract(x2, L.Subtract(n2, c)), f3 = L.Subtract(x3, L.Subtract(n3, c));
        V p0 = L.Broadcast(Power5 * scale), p1 = p0, p2 = p0, p3 = p0;
        Step<L, V>(ref p0, ref p1, ref p2, ref p3, f0, f1, f2, f3, L.Broadcast(Power4 * scale));
        Step<L, V>(ref p0, ref p1, ref p2, ref p3, f0, f1, f2, f3, L.Broadcast(Power3 * scale));
        Step<L, V>(ref p0, ref p1, ref p2, ref p3, f0, f1, f2, f3, L.Broadcast(Power2 * scale));
        Step<L, V>(ref p0, ref p1, ref p2, ref p3, f0, f1, f2, f3, L.Broadcast(Power1 * scale));
        Step<L, V>(ref p0, ref p1, ref p2, ref p3, f0, f1, f2, f3, L.Broadcast(scale));
        (x0, x1, x2, x3) = (p0, p1, p2, p3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step<L, V>(ref V p0, ref V p1, ref V p2, ref V p3, V f0, V f1, V f2, V f3, V next)
        where L : struct, ILanes<V>
    {
        p0 = L.MultiplyAdd(p0, f0, next);
        p1 = L.MultiplyAdd(p1, f1, next);
        p2 = L.MultiplyAdd(p2, f2, next);
        p3 = L.MultiplyAdd(p3, f3, next);
    }
}
