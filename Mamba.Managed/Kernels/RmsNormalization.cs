using System.Numerics.Tensors;
using CommunityToolkit.HighPerformance;

namespace Mamba.Managed.Kernels;

/// <summary>RMS normalization of a row: y = x / sqrt(mean(x^2) + epsilon) * weight.</summary>
/// <remarks>
/// Zhang and Sennrich 2019, equation 4; epsilon inside the root as in state-spaces/mamba. The sum of squares has the fixed order of
/// <see cref="VirtualLanes"/>, so the bits do not depend on the vector width.
/// </remarks>
internal static unsafe class RmsNormalization
{
    /// <summary>Normalizes each row.</summary>
    /// <param name="x">[rows, features]</param>
    /// <param name="weight">[features], or empty for none.</param>
    /// <param name="epsilon">Added to the mean square.</param>
    /// <param name="y">[rows, features]; may be <paramref name="x"/> itself.</param>
    /// <exception cref="ArgumentException">The shapes do not agree.</exception>
    public static void Forward(ReadOnlySpan2D<float> x, ReadOnlySpan<float> weight, float epsilon, Span2D<float> y)
    {
        SpanRows.Require(y, x.Height, x.Width);
        for (int row = 0; row < x.Height; row++)
        {
            Forward(x.GetRowSpan(row), weight, epsilon, y.GetRowSpan(row));
        }
    }

    /// <summary>Normalizes one row.</summary>
    /// <param name="x">[features]</param>
    /// <param name="weight">[features], or empty for none.</param>
    /// <param name="epsilon">Added to the mean square.</param>
    /// <param name="y">[features]; may be <paramref name="x"/> itself.</param>
    public static void Forward(ReadOnlySpan<float> x, ReadOnlySpan<float> weight, float epsilon, Span<float> y)
    {
        Throw.UnlessLength(x.Length, y.Length);
        Throw.UnlessLength(weight.IsEmpty ? 0 : x.Length, weight.Length);
        float square;
        fixed (float* input = x)
        {
            square = VirtualLanes.Dot(input, input, null, x.Length) / x.Length;
        }

        TensorPrimitives.Multiply(x, 1 / MathF.Sqrt(square + epsilon), y);
        if (!weight.IsEmpty)
        {
            TensorPrimitives.Multiply(y, weight, y);
        }
    }
}
