using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Tests.Outside;

/// <summary>One token through a Mamba model, as the paper has it: loops over numbers, in double precision between the layers' weights.</summary>
internal sealed class ScalarModel
{
    private readonly MambaConfig config;
    private readonly float[] embedding;
    private readonly float[] head;
    private readonly float[] normF;
    private readonly Block[] blocks;

    public ScalarModel(MambaLanguageModel model)
    {
        config = model.Config;
        embedding = Read(model.Embeddings.Weight);
        head = Read(model.HeadWeight);
        normF = Read(model.NormF.Weight);
        blocks = [.. model.Layers.Select(block => new Block(block))];
    }

    /// <summary>Moves a state on by one token.</summary>
    /// <param name="token">The token's id.</param>
    /// <param name="state">The arrays of the layout: of each layer conv_state [d_conv, d_inner] and ssm_state [d_inner, d_state].</param>
    /// <param name="logits">[vocab_size], or empty where none are wanted.</param>
    public void Step(int token, Span<float> state, Span<float> logits)
    {
        double[] x = [.. embedding.AsSpan(token * config.DModel, config.DModel).ToArray()];
        int conv = config.DConv * config.DInner, scan = config.DInner * config.DState;
        foreach (Block block in blocks)
        {
            double[] y = Mix(block, Normalize(x, block.Norm, config.NormEpsilon), state[..conv], state.Slice(conv, scan));
            for (int i = 0; i < x.Length; i++)
            {
                x[i] += y[i];
            }

            state = state[(conv + scan)..];
        }

        if (!logits.IsEmpty)
        {
            double[] found = Multiply(head, [], Normalize(x, normF, config.NormEpsilon));
            for (int i = 0; i < logits.Length; i++)
            {
                logits[i] = (float)found[i];
            }
        }
    }

    private double[] Mix(Block block, double[] x, Span<float> conv, Span<float> scan)
    {
        (int inner, int states) = (config.DInner, config.DState);
        double[] projected = Multiply(block.InProj, block.InBias, x);
        double[] u = Convolve(block, projected.AsSpan(0, inner), conv);
        double[] selected = Multiply(block.XProj, [], u);
        double[] dt = selected[..config.DtRank], b = selected[config.DtRank..^states], c = selected[^states..];
        if (config.MixerNormEpsilon is float epsilon)
        {
            (dt, b, c) = (Normalize(dt, [], epsilon), Normalize(b, [], epsilon), Normalize(c, [], epsilon));
        }

        double[] steps = Multiply(block.DtProj, block.DtBias, dt), y = new double[inner];
        for (int channel = 0; channel < inner; channel++)
        {
            double step = steps[channel] > 20 ? steps[channel] : Math.Log(1 + Math.Exp(steps[channel])), sum = block.D[channel] * u[channel];
            for (int n = 0; n < states; n++)
            {
                int at = (channel * states) + n;
                scan[at] = (float)((Math.Exp(-Math.Exp(block.ALog[at]) * step) * scan[at]) + (step * b[n] * u[channel]));
                sum += c[n] * scan[at];
            }

            y[channel] = sum * Silu(projected[inner + channel]);
        }

        return Multiply(block.OutProj, block.OutBias, y);
    }

    // The state holds the last d_conv inputs, oldest first, this one included.
    private double[] Convolve(Block block, ReadOnlySpan<double> x, Span<float> state)
    {
        int inner = config.DInner;
        state[inner..].CopyTo(state);
        double[] y = new double[inner];
        for (int channel = 0; channel < inner; channel++)
        {
            state[((config.DConv - 1) * inner) + channel] = (float)x[channel];
            double sum = block.ConvBias.Length > 0 ? block.ConvBias[channel] : 0;
            for (int k = 0; k < config.DConv; k++)
            {
                sum += block.ConvWeight[(channel * config.DConv) + k] * (double)state[(k * inner) + channel];
            }

            y[channel] = Silu(sum);
        }

        return y;
    }

    private static double[] Multiply(float[] weight, float[] bias, double[] x)
    {
        double[] y = new double[weight.Length / x.Length];
        for (int row = 0; row < y.Length; row++)
        {
            double sum = bias.Length > 0 ? bias[row] : 0;
            for (int i = 0; i < x.Length; i++)
            {
                sum += weight[(row * x.Length) + i] * x[i];
            }

            y[row] = sum;
        }

        return y;
    }

    private static double[] Normalize(double[] x, float[] weight, float epsilon)
    {
        double scale = 1 / Math.Sqrt(x.Average(v => v * v) + epsilon);
        return [.. x.Select((v, i) => v * scale * (weight.Length > 0 ? weight[i] : 1))];
    }

    private static double Silu(double x) => x / (1 + Math.Exp(-x));

    private static float[] Read(Tensor? tensor)
    {
        float[] values = new float[tensor?.Count ?? 0];
        tensor?.CopyTo(values);
        return values;
    }

    private sealed class Block(ResidualBlock block)
    {
        public float[] Norm { get; } = Read(block.Norm.Weight);

        public float[] InProj { get; } = Read(block.Mixer.InProj.Weight);

        public float[] InBias { get; } = Read(block.Mixer.InProj.Bias);

        public float[] ConvWeight { get; } = Read(block.Mixer.Conv1d.Weight);

        public float[] ConvBias { get; } = Read(block.Mixer.Conv1d.Bias);

        public float[] XProj { get; } = Read(block.Mixer.XProj.Weight);

        public float[] DtProj { get; } = Read(block.Mixer.DtProj.Weight);

        public float[] DtBias { get; } = Read(block.Mixer.DtProj.Bias);

        public float[] ALog { get; } = Read(block.Mixer.ALog);

        public float[] D { get; } = Read(block.Mixer.D);

        public float[] OutProj { get; } = Read(block.Mixer.OutProj.Weight);

        public float[] OutBias { get; } = Read(block.Mixer.OutProj.Bias);
    }
}
