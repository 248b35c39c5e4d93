using ILGPU.Algorithms;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>Functions of one float32 that kernels share; each is a few instructions and one or two of the special function unit.</summary>
internal static class Elementary
{
    /// <summary>log2(e): exp(x) = exp2(x * log2(e)).</summary>
    public const float Log2E = 1.44269504f;

    /// <summary>ln(2).</summary>
    public const float Ln2 = 0.693147181f;

    /// <summary>1 / (1 + exp(-x)).</summary>
    public static float Sigmoid(float x) => XMath.Rcp(1f + XMath.Exp2(-x * Log2E));

    /// <summary>x * sigmoid(x).</summary>
    public static float Silu(float x) => x * Sigmoid(x);

    /// <summary>The derivative of <see cref="Silu"/> where its sigmoid is known.</summary>
    public static float SiluSlope(float x, float sigmoid) => sigmoid * (1f + (x * (1f - sigmoid)));

    /// <summary>log(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|)).</summary>
    /// <remarks>log1p(e) = 2 atanh(s) of s = e / (2 + e), by a polynomial of s * s. The argument is at most 1/3, so five terms are right to 8e-9, for small e too.</remarks>
    public static float Softplus(float x)
    {
        float e = XMath.Exp2(-XMath.Abs(x) * Log2E);
        float s = e * XMath.Rcp(2f + e);
        float square = s * s;
        float polynomial = (0.281746566f * square) + 0.27961418f;
        polynomial = (polynomial * square) + 0.400248528f;
        polynomial = (polynomial * square) + 0.66666317f;
        polynomial = (polynomial * square) + 2f;
        return XMath.Max(x, 0f) + (s * polynomial);
    }
}
