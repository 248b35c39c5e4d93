using ILGPU;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Execution;

/// <summary>The weights of one residual block in device memory. Sizes are those of <see cref="ModelShape"/>; what fills them up is zero.</summary>
internal sealed record LayerWeights
{
    /// <summary>[features]: the scale of the norm before the mixer.</summary>
    public required ArrayView<float> Norm { get; init; }

    /// <summary>[2 * channels, features]: the scan's input, then the gate.</summary>
    public required DeviceMatrix InProj { get; init; }

    /// <summary>[2 * channels], or empty.</summary>
    public required ArrayView<float> InBias { get; init; }

    /// <summary>[channels, d_conv], the newest input's weight last.</summary>
    public required ArrayView<float> ConvWeight { get; init; }

    /// <summary>[channels], or empty.</summary>
    public required ArrayView<float> ConvBias { get; init; }

    /// <summary>[rank + 2 * states, channels]: dt, B, C.</summary>
    public required DeviceMatrix XProj { get; init; }

    /// <summary>[channels, rank]</summary>
    public required DeviceMatrix DtProj { get; init; }

    /// <summary>[channels]: added to delta before softplus.</summary>
    public required ArrayView<float> DtBias { get; init; }

    /// <summary>[channels, states]: -exp(A_log) * log2(e), so that decay = exp2(delta * a2).</summary>
    public required ArrayView<float> A2 { get; init; }

    /// <summary>[channels]: the scan's input past the states.</summary>
    public required ArrayView<float> D { get; init; }

    /// <summary>[features, channels]</summary>
    public required DeviceMatrix OutProj { get; init; }

    /// <summary>[features], or empty.</summary>
    public required ArrayView<float> OutBias { get; init; }
}
