using Mamba.Managed.Layers;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Models;

/// <summary>Random initial weights as state-spaces/mamba draws them.</summary>
/// <remarks>
/// A = -(1 .. d_state); D = 1; embeddings are normal; matrices and an untied head are uniform within 1 / sqrt(inputs), PyTorch's default; the bias of
/// dt_proj is the inverse softplus of a step drawn log-uniformly from [dt_min, dt_max]; out_proj is divided by sqrt(n_layer), after Radford et al. 2019.
/// </remarks>
internal sealed class Initialization(MambaConfig config, ulong seed)
{
    private SplitMix64 random = new(seed);

    /// <summary>The initial tensor of a parameter.</summary>
    public Tensor Draw(ExpectedParameter parameter)
    {
        Tensor tensor = Tensor.Zeros(ElementType.Float32, parameter.Shape);
        Span<float> values = tensor.Floats;
        double bound = 1 / Math.Sqrt(parameter.Shape[^1]);
        switch (parameter.Info.Initial)
        {
            case InitialValues.Zeros:
                break;
            case InitialValues.Ones:
                values.Fill(1);
                break;
            case InitialValues.Uniform:
                FillUniform(values, bound);
                break;
            case InitialValues.UniformOfFilter:
                FillUniform(values, 1 / Math.Sqrt(config.DConv));
                break;
            case InitialValues.UniformOfResidual:
                FillUniform(values, bound / (config.RescalePrenormResidual ? Math.Sqrt(config.NLayer) : 1));
                break;
            case InitialValues.UniformOfStep:
                FillUniform(values, config.DtScale / Math.Sqrt(config.DtRank));
                break;
            case InitialValues.Normal:
                Fill(values, () => config.InitializerRange * Normal());
                break;
            case InitialValues.LogarithmOfState:
                for (int i = 0; i < values.Length; i++)
                {
                    values[i] = MathF.Log((i % config.DState) + 1);
                }

                break;
            case InitialValues.InverseSoftplusOfStep:
                Fill(values, InverseSoftplusOfStep);
                break;
            default:
                throw new InvalidOperationException($"expected initial values of {parameter.Path}, found {parameter.Info.Initial}");
        }

        GC.KeepAlive(tensor);
        return tensor;
    }

    private void FillUniform(Span<float> values, double bound) => Fill(values, () => Uniform(-bound, bound));

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
