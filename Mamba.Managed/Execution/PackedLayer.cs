using Mamba.Managed.Kernels;
using Mamba.Managed.Layers;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Execution;

/// <summary>A residual block in the form in which the CPU kernels read it.</summary>
internal sealed class PackedLayer
{
    private const float Log2E = 1.44269504088896341f;

    public PackedLayer(ResidualBlock block)
    {
        SelectiveStateSpaceModel mixer = block.Mixer;
        Norm = Copy(block.Norm.Weight);
        Epsilon = block.Norm.Epsilon;
        MixerNormEpsilon = mixer.MixerNormEpsilon;
        (InProj, InBias) = (new(mixer.InProj.Weight), Copy(mixer.InProj.Bias));
        (XProj, DtProj) = (new(mixer.XProj.Weight), new(mixer.DtProj.Weight));
        (OutProj, OutBias) = (new(mixer.OutProj.Weight), Copy(mixer.OutProj.Bias));
        ConvWeight = Transpose(mixer.Conv1d.Weight);
        ConvBias = Copy(mixer.Conv1d.Bias);
        DtBias = Copy(mixer.DtProj.Bias);
        Decay = Transpose(mixer.ALog);
        foreach (ref float a in Decay.AsSpan())
        {
            a = -MathF.Exp(a) * Log2E;
        }

        D = Copy(mixer.D);
    }

    public float[] Norm { get; }

    public float Epsilon { get; }

    public float? MixerNormEpsilon { get; }

    public PackedMatrix InProj { get; }

    public float[] InBias { get; }

    public float[] ConvWeight { get; }

    public float[] ConvBias { get; }

    public PackedMatrix XProj { get; }

    public PackedMatrix DtProj { get; }

    public float[] DtBias { get; }

    /// <summary>[d_state, d_inner]: A log2(e).</summary>
    public float[] Decay { get; }

    public float[] D { get; }

    public PackedMatrix OutProj { get; }

    public float[] OutBias { get; }

    private static float[] Copy(Tensor? tensor)
    {
        float[] values = new float[tensor?.Count ?? 0];
        tensor?.CopyTo(values);
        return values;
    }

    // [rows, ..., columns] to [columns, rows], so that neighbouring channels are neighbours in memory.
    private static float[] Transpose(Tensor tensor)
    {
        int rows = tensor.Shape[0], columns = tensor.Shape[^1];
        float[] values = Copy(tensor);
        float[] turned = new float[values.Length];
        for (int i = 0; i < values.Length; i++)
        {
            turned[(i % columns * rows) + (i / columns)] = values[i];
        }

        return turned;
    }
}
