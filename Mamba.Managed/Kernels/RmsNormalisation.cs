namespace Mamba.Managed.Kernels;

/// <summary>RMS normalisation of a row: y = x / sqrt(mean(x^2) + epsilon) * weight.</summary>
/// <remarks>Zhang and Sennrich 2019, equation 4; epsilon inside the root as in state-spaces/mamba. The squares are summed in 16 virtual lanes and then by a fixed tree, so the result does not depend on the vector width.</remarks>
internal static unsafe class RmsNormalisation
{
    /// <summary>Normalises one row.</summary>
    /// <param name="x">[features]</param>
    /// <param name="weight">[features], or empty for none.</param>
    /// <param name="epsilon">Added to the mean square.</param>
    /// <param name="y">[features]; may be <paramref name="x"/> itself.</param>
    public static void Forward(ReadOnlySpan<float> x, ReadOnlySpan<float> weight, float epsilon, Span<float> y)
    {
        Throw.UnlessLength(x.Length, y.Length);
        Throw.UnlessLength(weight.IsEmpty ? 0 : x.Length, weight.Length);
        fixed (float* input = x, output = y, scale = weight)
        {
            float inverse = 1 / MathF.Sqrt((VirtualLanes.Dot(input, input, null, x.Length) / x.Length) + epsilon);
            for (int i = 0; i < x.Length; i++)
            {
                float normal = input[i] * inverse;
                output[i] = scale is null ? normal : normal * scale[i];
            }
        }
    }
}
