using Mamba.Managed.Models;

namespace Mamba.Managed.ILGPU.Tests.Decode;

/// <summary>A sequence advanced token by token in float64, as the paper defines it.</summary>
internal sealed class ReferenceStep(RandomModel model)
{
    private readonly MambaConfig config = model.Config;
    private readonly double[][] convolution = [.. model.Layers.Select(_ => new double[model.Config.DConv * model.Config.DInner])];
    private readonly double[][] states = [.. model.Layers.Select(_ => new double[model.Config.DInner * model.Config.DState])];

    /// <summary>conv_state and ssm_state of each layer in the canonical form.</summary>
    public double[] State => [.. convolution.Zip(states).SelectMany(layer => layer.First.Concat(layer.Second))];

    /// <summary>Moves on by one token; the logits after it.</summary>
    public double[] Run(int token)
    {
        double[] residual = [.. model.Embedding.Skip(token * config.DModel).Take(config.DModel).Select(x => (double)x)];
        for (int i = 0; i < config.NLayer; i++)
        {
            double[] output = Mix(model.Layers[i], convolution[i], states[i], Normalize(residual, model.Layers[i].Norm, config.NormEpsilon));
            residual = [.. residual.Zip(output, (a, b) => a + b)];
        }

        return Multiply(model.Head, Normalize(residual, model.NormF, config.NormEpsilon), []);
    }

    private double[] Mix(RandomModel.Layer layer, double[] convState, double[] scanState, double[] x)
    {
        double[] xz = Multiply(layer.InProj, x, layer.InBias);
        double[] u = Convolve(layer, convState, xz);
        double[] dbc = Multiply(layer.XProj, u, []);
        double[] dt = MixerNorm(dbc[..config.DtRank]);
        double[] b = MixerNorm(dbc[config.DtRank..(config.DtRank + config.DState)]);
        double[] c = MixerNorm(dbc[(config.DtRank + config.DState)..]);
        double[] delta = [.. Multiply(layer.DtProj, dt, layer.DtBias).Select(v => Math.Max(v, 0) + Math.Log(1 + Math.Exp(-Math.Abs(v))))];
        double[] y = new double[config.DInner];
        for (int i = 0; i < config.DInner; i++)
        {
            y[i] = layer.D[i] * u[i];
            for (int n = 0; n < config.DState; n++)
            {
                int k = (i * config.DState) + n;
                scanState[k] = (Math.Exp(delta[i] * layer.A[k]) * scanState[k]) + (delta[i] * b[n] * u[i]);
                y[i] += c[n] * scanState[k];
            }

            y[i] *= Silu(xz[config.DInner + i]);
        }

        return Multiply(layer.OutProj, y, layer.OutBias);
    }

    private double[] Convolve(RandomModel.Layer layer, double[] state, double[] x)
    {
        double[] y = new double[config.DInner];
        for (int i = 0; i < config.DInner; i++)
        {
            double sum = layer.ConvBias.Length > 0 ? layer.ConvBias[i] : 0;
            for (int k = 0; k < config.DConv; k++)
            {
                state[(k * config.DInner) + i] = k + 1 < config.DConv ? state[((k + 1) * config.DInner) + i] : x[i];
                sum += state[(k * config.DInner) + i] * layer.ConvWeight[(i * config.DConv) + k];
            }

            y[i] = Silu(sum);
        }

        return y;
    }

    private double[] MixerNorm(double[] x) => config.MixerNormEpsilon is { } epsilon ? Normalize(x, null, epsilon) : x;

    private static double[] Normalize(double[] x, float[]? weight, double epsilon)
    {
        double scale = 1 / Math.Sqrt(x.Average(v => v * v) + epsilon);
        return [.. x.Select((v, i) => v * scale * (weight?[i] ?? 1))];
    }

    private static double[] Multiply(float[] matrix, double[] x, float[] bias)
    {
        double[] y = new double[matrix.Length / x.Length];
        Parallel.For(0, y.Length, i =>
        {
            double sum = bias.Length > 0 ? bias[i] : 0;
            ReadOnlySpan<float> row = matrix.AsSpan(i * x.Length, x.Length);
            for (int k = 0; k < row.Length; k++)
            {
                sum += row[k] * x[k];
            }

            y[i] = sum;
        });
        return y;
    }

    private static double Silu(double x) => x / (1 + Math.Exp(-x));
}
