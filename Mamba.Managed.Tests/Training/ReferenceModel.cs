using Mamba.Managed.Layers;
using Mamba.Managed.Models;

namespace Mamba.Managed.Tests.Training;

/// <summary>A whole model in double precision as plain loops: what finite differences are taken of.</summary>
internal sealed class ReferenceModel(MambaLanguageModel model)
{
    private readonly MambaConfig config = model.Config;

    /// <summary>Every parameter by its path; entries may be changed.</summary>
    public Dictionary<string, double[]> Parameters { get; } =
        model.Parameters().ToDictionary(p => p.Key, p => Array.ConvertAll(p.Value.ToArray(), v => (double)v));

    /// <summary>The summed loss of one sequence, with weighted last states added.</summary>
    /// <param name="tokens">[length]</param>
    /// <param name="targets">[length]</param>
    /// <param name="states">[layers]: window [d_conv, d_inner] and state [d_state, d_inner] before the sequence.</param>
    /// <param name="slopes">[layers]: the gradients of both after the sequence.</param>
    public double Loss(int[] tokens, int[] targets, (double[] Window, double[] Scan)[] states, (double[] Window, double[] Scan)[] slopes)
    {
        double total = 0;
        double[][] x = [.. tokens.Select(token => Row(Parameters["backbone.embeddings.weight"], token, config.DModel))];
        for (int layer = 0; layer < config.NLayer; layer++)
        {
            string path = $"backbone.layers.{layer}.";
            (double[] window, double[] scan) = ([.. states[layer].Window], [.. states[layer].Scan]);
            for (int t = 0; t < x.Length; t++)
            {
                double[] mixed = Mixer(path + "mixer.", Norm(x[t], Parameters[path + "norm.weight"], config.NormEpsilon), ref window, scan);
                x[t] = [.. x[t].Zip(mixed, (a, b) => a + b)];
            }

            total += Dot(window, slopes[layer].Window) + Dot(scan, slopes[layer].Scan);
        }

        double[] head = Parameters.GetValueOrDefault("lm_head.weight") ?? Parameters["backbone.embeddings.weight"];
        for (int t = 0; t < x.Length; t++)
        {
            if (targets[t] >= 0)
            {
                double[] logits = Multiply(head, Norm(x[t], Parameters["backbone.norm_f.weight"], config.NormEpsilon), null);
                total += Math.Log(logits.Sum(l => Math.Exp(l - logits.Max()))) + logits.Max() - logits[targets[t]];
            }
        }

        return total;
    }

    private double[] Mixer(string path, double[] x, ref double[] window, double[] state)
    {
        (int inner, int states, int rank) = (config.DInner, config.DState, config.DtRank);
        double[] gated = Multiply(Parameters[path + "in_proj.weight"], x, Parameters.GetValueOrDefault(path + "in_proj.bias"));
        double[] moved = window = [.. window.Skip(inner), .. gated.Take(inner)];
        double[] filter = Parameters[path + "conv1d.weight"];
        double[]? convBias = Parameters.GetValueOrDefault(path + "conv1d.bias");
        double[] u = new double[inner];
        for (int c = 0; c < inner; c++)
        {
            double p = convBias?[c] ?? 0;
            for (int j = 0; j < config.DConv; j++)
            {
                p += filter[(c * config.DConv) + j] * moved[(j * inner) + c];
            }

            u[c] = Silu(p);
        }

        double[] selected = Multiply(Parameters[path + "x_proj.weight"], u, null);
        double[] dt = Part(selected[..rank]), b = Part(selected[rank..(rank + states)]), read = Part(selected[(rank + states)..]);
        double[] step = Multiply(Parameters[path + "dt_proj.weight"], dt, Parameters[path + "dt_proj.bias"]);
        double[] y = new double[inner];
        for (int c = 0; c < inner; c++)
        {
            double delta = Math.Log(1 + Math.Exp(step[c])), sum = Parameters[path + "D"][c] * u[c];
            for (int n = 0; n < states; n++)
            {
                ref double h = ref state[(n * inner) + c];
                h = (Math.Exp(-delta * Math.Exp(Parameters[path + "A_log"][(c * states) + n])) * h) + (delta * b[n] * u[c]);
                sum += h * read[n];
            }

            y[c] = sum * Silu(gated[inner + c]);
        }

        return Multiply(Parameters[path + "out_proj.weight"], y, Parameters.GetValueOrDefault(path + "out_proj.bias"));

        double[] Part(double[] part) => config.MixerNormEpsilon is float epsilon ? Norm(part, null, epsilon) : part;
    }

    private static double Silu(double x) => x / (1 + Math.Exp(-x));

    private static double[] Row(double[] matrix, int row, int width) => matrix[(row * width)..((row + 1) * width)];

    private static double Dot(double[] a, double[] b) => a.Zip(b, (x, y) => x * y).Sum();

    private static double[] Norm(double[] x, double[]? weight, double epsilon)
    {
        double inverse = 1 / Math.Sqrt((Dot(x, x) / x.Length) + epsilon);
        return [.. x.Select((v, i) => v * inverse * (weight?[i] ?? 1))];
    }

    private static double[] Multiply(double[] matrix, double[] x, double[]? bias) =>
        [.. Enumerable.Range(0, matrix.Length / x.Length).Select(row => Dot(Row(matrix, row, x.Length), x) + (bias?[row] ?? 0))];
}
