using System.Buffers;
using Mamba.Managed.Kernels;
using Mamba.Managed.Kernels.Simd;
using Mamba.Managed.Layers;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Execution;

/// <summary>A mixer's weights in the form in which the CPU kernels read them.</summary>
internal sealed class PackedMixer : IDisposable
{
    private readonly TensorBuffer room;
    private readonly PackedMatrix[] matrices;

    public PackedMixer(SelectiveStateSpaceModel mixer)
    {
        (DInner, DState) = (mixer.ALog.Shape[0], mixer.ALog.Shape[1]);
        DConv = mixer.Conv1d.Weight.Shape[^1];
        NormEpsilon = mixer.MixerNormEpsilon;
        (room, matrices) = Pack(mixer.InProj.Weight, mixer.XProj.Weight, mixer.DtProj.Weight, mixer.OutProj.Weight);
        (InProj, InBias) = (matrices[0], Copy(mixer.InProj.Bias));
        (ValueProj, ValueBias) = (InProj.Top(DInner), InBias.Length > 0 ? InBias[..DInner] : []);
        (XProj, DtProj) = (matrices[1], matrices[2]);
        (OutProj, OutBias) = (matrices[3], Copy(mixer.OutProj.Bias));
        ConvWeight = CausalConvolution.Transpose(mixer.Conv1d.Weight);
        ConvBias = Copy(mixer.Conv1d.Bias);
        DtBias = Copy(mixer.DtProj.Bias);
        (Decay, MaxDecay) = Decays(mixer.ALog);
        D = Copy(mixer.D);
    }

    public int DModel => InProj.Inputs;

    public int DInner { get; }

    public int DState { get; }

    public int DConv { get; }

    public int DtRank => DtProj.Inputs;

    public float? NormEpsilon { get; }

    public PackedMatrix InProj { get; }

    public float[] InBias { get; }

    /// <summary>[d_inner, d_model]: that half of <see cref="InProj"/> which gives the convolution's inputs; the other gives gates.</summary>
    public PackedMatrix ValueProj { get; }

    public float[] ValueBias { get; }

    /// <summary>[d_conv, d_inner]</summary>
    public float[] ConvWeight { get; }

    public float[] ConvBias { get; }

    public PackedMatrix XProj { get; }

    public PackedMatrix DtProj { get; }

    public float[] DtBias { get; }

    /// <summary>[d_state, d_inner] as <see cref="ChannelPanels"/>: A log2(e).</summary>
    public float[] Decay { get; }

    /// <summary>[d_inner]: the greatest magnitude in <see cref="Decay"/> of each channel.</summary>
    public float[] MaxDecay { get; }

    public float[] D { get; }

    public PackedMatrix OutProj { get; }

    public float[] OutBias { get; }

    /// <summary>Memory that all weights take, in bytes.</summary>
    public long ByteLength =>
        InProj.ByteLength + XProj.ByteLength + DtProj.ByteLength + OutProj.ByteLength
        + (sizeof(float) * (InBias.Length + ConvWeight.Length + ConvBias.Length + DtBias.Length + Decay.Length + D.Length + OutBias.Length));

    /// <summary>Frees the matrices; nothing may compute with them any more.</summary>
    public void Dispose()
    {
        foreach (PackedMatrix matrix in matrices)
        {
            matrix.Dispose();
        }

        room.Dispose();
    }

    // One after the other, as a step reads them: together even small ones fill large pages.
    private static (TensorBuffer Room, PackedMatrix[] Packed) Pack(params ReadOnlySpan<Tensor> weights)
    {
        long length = 0;
        foreach (Tensor weight in weights)
        {
            length += LengthOf(weight);
        }

        TensorBuffer room = TensorBuffer.Allocate(length, clear: false);
        PackedMatrix[] packed = new PackedMatrix[weights.Length];
        long used = 0;
        for (int i = 0; i < packed.Length; used += LengthOf(weights[i]), i++)
        {
            packed[i] = new PackedMatrix(weights[i], room: room.Part(used, PackedMatrix.LengthOf(weights[i])));
        }

        return (room, packed);

        static long LengthOf(Tensor weight) => (PackedMatrix.LengthOf(weight) + TensorBuffer.Alignment - 1) / TensorBuffer.Alignment * TensorBuffer.Alignment;
    }

    private static unsafe (float[] Decay, float[] MaxDecay) Decays(Tensor aLog)
    {
        (int channels, int states) = (aLog.Shape[0], aLog.Shape[1]);
        ChannelPanels panels = new(channels, states);
        float[] decay = new float[channels * states], fastest = new float[channels];
        float[] logs = ArrayPool<float>.Shared.Rent(decay.Length);
        aLog.CopyTo(logs.AsSpan(0, decay.Length));
        fixed (float* from = logs, to = decay)
        {
            SelectiveScan.Decays(from, to, channels, states, 0, channels);
        }

        ArrayPool<float>.Shared.Return(logs);
        for (int channel = 0; channel < channels; channel++)
        {
            long at = panels.Offset(channel);
            for (int n = 0; n < states; n++, at += panels.Pitch(channel))
            {
                fastest[channel] = MathF.Max(fastest[channel], -decay[at]);
            }
        }

        return (decay, fastest);
    }

    private static float[] Copy(Tensor? tensor)
    {
        float[] values = new float[tensor?.Count ?? 0];
        tensor?.CopyTo(values);
        return values;
    }
}
