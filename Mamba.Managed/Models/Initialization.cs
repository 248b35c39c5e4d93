using Mamba.Managed.Tensors;

namespace Mamba.Managed.Models;

/// <summary>Random initial weights as state-spaces/mamba draws them.</summary>
/// <remarks>
/// A = -(1 .. d_state); D = 1; embeddings are normal, matrices and an untied head uniform within 1 / sqrt(inputs), as PyTorch draws them; the bias of dt_proj is the inverse softplus of a step drawn log-uniformly from [dt_min, dt_max];
/// out_proj is divided by sqrt(n_layer), after Radford et al. 2019.
/// </remarks>
internal sealed class Initialization(MambaConfig config, ulong seed)
{
    private SplitMix64 random = new(seed);

    /// <summary>The initial tensor of the parameter <paramref name="name"/>.</summary>
    public Tensor Parameter(string name, int[] shape)
    {
        Tensor tensor = Tensor.Zeros(ElementType.Float32, shape);
        Span<float> values = tensor.Floats;
        double bound = 1 / Math.Sqrt(shape.Length > 1 ? shape[^1] : 1);
        switch (name[(name.LastIndexOf('.', name.LastIndexOf('.') - 1) + 1)..])
        {
            case "embeddings.weight":
                Fill(values, () => config.InitializerRange * Normal());
                break;
            case "mixer.A_log":
                for (int i = 0; i < values.Length; i++)
                {
                    values[i] = MathF.Log((i % config.DState) + 1);
                }

                break;
            case "mixer.D" or "norm.weight" or "norm_f.weight":
                values.Fill(1);
                break;
            case "dt_proj.weight":
                bound = config.DtScale / Math.Sqrt(config.DtRank);
                Fill(values, () => Uniform(-bound, bound));
                break;
            case "dt_proj.bias":
                Fill(values, InverseSoftplusOfStep);
                break;
            case "conv1d.bias":
                bound = 1 / Math.Sqrt(config.DConv);
                Fill(values, () => Uniform(-bound, bound));
                break;
            case "out_proj.weight":
                bound /= config.RescalePrenormResidual ? Math.Sqrt(config.NLayer) : 1;
                Fill(values, () => Uniform(-bound, bound));
                break;
            case "in_proj.bias" or "out_proj.bias":
                break;
            default:
                Fill(values, () => Uniform(-bound, bound));
                break;
        }

        return tensor;
    }

    private static void Fill(Span<float> values, Func<double> next)
    {
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = (float)next();
        }
    }

    private double InverseSoftplusOfStep()
    {
        double step = Math.Exp(Uniform(Math.Log(config.DtMin), Math.Log(config.DtMax)));
        step = Math.Max(step, config.DtInitFloor);
        return step + Math.Log(-Math.Exp(-step) + 1);
    }

    private double Uniform(double low, double high) => low + ((high - low) * random.NextDouble());

    private double Normal() => Math.Sqrt(-2 * Math.Log(1 - Uniform(0, 1))) * Math.Cos(Uniform(0, 2 * Math.PI));
}
