using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Mamba.Managed.Tensors.Blocks;

/// <summary>Searches for the scale of a group of elements with the least weighted square error.</summary>
/// <remarks>
/// Codes and scale depend on each other: given the codes, the best scale is a linear regression; given the scale, the best codes are rounded elements.
/// So the search tries several scales around the one that just spans the group, rounds, regresses, and keeps the best. Large elements have more weight,
/// because they contribute more to a product. Sums use four lanes on every machine, so that every machine writes the same file. The length of a group
/// is a multiple of 4, at most 32.
/// </remarks>
internal static class ScaleSearch
{
    // Below this the binary16 scale of a block is zero in every format.
    private const float Smallest = 1e-9f;

    private const float Step = 0.1f;

    /// <summary>Scale s of x = s q with signed codes: sum of x^2 (x - s q)^2 is small.</summary>
    /// <param name="x">The group.</param>
    /// <param name="levels">q lies in [-levels, levels - 1]. The scale takes the sign that gives the largest element code -levels.</param>
    /// <returns>The scale, of either sign; 0 for a group of zeros.</returns>
    public static float Symmetric(ReadOnlySpan<float> x, int levels)
    {
        float extreme = Extreme(x);
        if (Math.Abs(extreme) < Smallest)
        {
            return 0;
        }

        Vector128<float> low = Vector128.Create((float)-levels), high = Vector128.Create(levels - 1f);
        (double best, double scale) = (0, 0);
        for (int trial = -9; trial <= 9; trial++)
        {
            Vector128<float> inverse = Vector128.Create(-(levels + (Step * trial)) / extreme);
            Vector128<float> sumXQ = default, sumQQ = default;
            for (int i = 0; i < x.Length; i += Vector128<float>.Count)
            {
                Vector128<float> v = Load(x, i);
                Vector128<float> q = Vector128.Min(Vector128.Max(Vector128.Round(v * inverse), low), high);
                Vector128<float> weighted = v * v * q;
                sumXQ += weighted * v;
                sumQQ += weighted * q;
            }

            (double xq, double qq) = (Sum(sumXQ), Sum(sumQQ));

            // The error is sum w x^2 - xq^2 / qq.
            if (qq > 0 && xq * xq > best * qq)
            {
                (best, scale) = (xq * xq / qq, xq / qq);
            }
        }

        return (float)scale;
    }

    /// <summary>Scale s and minimum m of x = s q + m with unsigned codes: sum of (rms + |x|) (x - s q - m)^2 is small.</summary>
    /// <param name="x">The group.</param>
    /// <param name="levels">q lies in [0, levels].</param>
    /// <param name="anyMinimum">False where the format stores -m, which must not be negative.</param>
    /// <returns>A scale that is not negative, and the minimum.</returns>
    public static (float Scale, float Minimum) Affine(ReadOnlySpan<float> x, int levels, bool anyMinimum)
    {
        (float low, float high, float rms) = Range(x);
        low = anyMinimum ? low : Math.Min(low, 0);
        if (high - low < Smallest)
        {
            return (0, low);
        }

        Span<float> codes = stackalloc float[x.Length];
        (float scale, float minimum) = ((high - low) / levels, low);
        double least = double.PositiveInfinity;
        for (int trial = -10; trial <= 10; trial++)
        {
            if (Regress(x, rms, low, (levels + (Step * trial)) / (high - low), levels, anyMinimum, codes) is not (float s, float m))
            {
                continue;
            }

            double error = Error(x, rms, codes, s, m);
            if (error < least)
            {
                (least, scale, minimum) = (error, s, m);
            }
        }

        return (scale, minimum);
    }

    /// <summary>Codes of a group under a scale: x / scale + zero, rounded to nearest and clamped to [0, most].</summary>
    public static void Round(ReadOnlySpan<float> x, float scale, float zero, int most, Span<byte> codes)
    {
        float inverse = scale == 0 ? 0 : 1 / scale;
        for (int i = 0; i < x.Length; i++)
        {
            codes[i] = (byte)Math.Clamp(MathF.Round(x[i] * inverse) + zero, 0, most);
        }
    }

    /// <summary>Codes of a group under a scale and a minimum: (x - minimum) / scale, rounded to nearest and clamped to [0, most].</summary>
    public static void RoundAffine(ReadOnlySpan<float> x, float scale, float minimum, int most, Span<byte> codes)
    {
        float inverse = scale == 0 ? 0 : 1 / scale;
        for (int i = 0; i < x.Length; i++)
        {
            codes[i] = (byte)Math.Clamp(MathF.Round((x[i] - minimum) * inverse), 0, most);
        }
    }

    // Rounds with a trial scale, then fits scale and minimum to the codes by regression; null where all codes are equal.
    private static (float Scale, float Minimum)? Regress(
        ReadOnlySpan<float> x, float rms, float low, float inverse, int levels, bool anyMinimum, Span<float> codes)
    {
        Vector128<float> sumW = default, sumX = default, sumQ = default, sumQQ = default, sumXQ = default;
        for (int i = 0; i < x.Length; i += Vector128<float>.Count)
        {
            Vector128<float> v = Load(x, i);
            Vector128<float> q = Vector128.Round((v - Vector128.Create(low)) * inverse);
            q = Vector128.Min(Vector128.Max(q, Vector128<float>.Zero), Vector128.Create((float)levels));
            q.StoreUnsafe(ref codes[i]);
            Vector128<float> w = Vector128.Abs(v) + Vector128.Create(rms);
            sumW += w;
            sumX += w * v;
            sumQ += w * q;
            sumQQ += w * q * q;
            sumXQ += w * q * v;
        }

        (double sw, double sx, double sq, double sqq, double sxq) = (Sum(sumW), Sum(sumX), Sum(sumQ), Sum(sumQQ), Sum(sumXQ));
        double determinant = (sw * sqq) - (sq * sq);
        if (!(determinant > 1e-9 * sw * sqq))
        {
            return null;
        }

        double scale = ((sw * sxq) - (sx * sq)) / determinant;
        double minimum = ((sqq * sx) - (sq * sxq)) / determinant;
        if (minimum > 0 && !anyMinimum)
        {
            (scale, minimum) = (sxq / sqq, 0);
        }

        return scale >= 0 ? ((float)scale, (float)minimum) : null;
    }

    private static double Error(ReadOnlySpan<float> x, float rms, ReadOnlySpan<float> codes, float scale, float minimum)
    {
        Vector128<float> sum = default;
        for (int i = 0; i < x.Length; i += Vector128<float>.Count)
        {
            Vector128<float> v = Load(x, i);
            Vector128<float> error = (Load(codes, i) * scale) + Vector128.Create(minimum) - v;
            sum += error * error * (Vector128.Abs(v) + Vector128.Create(rms));
        }

        return Sum(sum);
    }

    private static float Extreme(ReadOnlySpan<float> x)
    {
        float extreme = 0;
        foreach (float value in x)
        {
            extreme = Math.Abs(value) > Math.Abs(extreme) ? value : extreme;
        }

        return extreme;
    }

    private static (float Low, float High, float Rms) Range(ReadOnlySpan<float> x)
    {
        (float low, float high, float squares) = (x[0], x[0], 0);
        foreach (float value in x)
        {
            (low, high) = (Math.Min(low, value), Math.Max(high, value));
            squares += value * value;
        }

        return (low, high, MathF.Sqrt(squares / x.Length));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Load(ReadOnlySpan<float> x, int i) => Vector128.LoadUnsafe(ref MemoryMarshal.GetReference(x), (nuint)i);

    // Not Vector128.Sum, whose order of additions is not specified.
    private static double Sum(Vector128<float> v) => (double)v[0] + v[1] + ((double)v[2] + v[3]);
}
