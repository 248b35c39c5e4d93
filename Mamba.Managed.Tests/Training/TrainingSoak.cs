using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Training;

namespace Mamba.Managed.Tests.Training;

/// <summary>Steps on random shapes and lengths at learning rates up to absurd; weights are finite after each.</summary>
internal static class TrainingSoak
{
    private const int StepsOfModel = 10;

    /// <summary>Runs some steps.</summary>
    /// <returns>0 where every weight stayed finite, else 1.</returns>
    public static int Run(int steps, int seed, TextWriter output)
    {
        Random random = new(seed);
        int refused = 0;
        for (int done = 0; done < steps;)
        {
            MambaConfig config = new()
            {
                DModel = random.Next(1, 40), NLayer = random.Next(1, 4), VocabSize = random.Next(2, 70), DState = random.Next(1, 20), DConv = random.Next(1, 6),
            };
            MambaLanguageModel model = MambaLanguageModel.Create(config, (ulong)random.NextInt64()).CopyToFloat32();
            using TrainingPass pass = new(config, random.Next(1, 4));
            Gradients gradients = new(model);
            AdamW optimizer = new(model, new AdamWOptions { MaxNorm = random.Next(2), WeightDecay = random.NextSingle() });
            double rate = Math.Pow(10, (random.NextDouble() * 12) - 6);
            for (int i = 0; i < StepsOfModel && done < steps; i++, done++)
            {
                int[][] documents = [.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => Enumerable.Range(0, random.Next(2, 90)).Select(_ => random.Next(config.VocabSize)).ToArray())];
                gradients.Clear();
                try
                {
                    pass.Run(model, TrainingBatch.OfDocuments(documents), gradients);
                    optimizer.Step(gradients, rate, pass);
                }
                catch (NonFiniteException)
                {
                    refused++;
                }

                foreach ((string name, Tensor weight) in model.Parameters())
                {
                    foreach (float value in weight.Floats)
                    {
                        if (!float.IsFinite(value))
                        {
                            output.WriteLine(FormattableString.Invariant($"seed {seed}, step {done}, rate {rate}, {config}: {name} holds {value}"));
                            return 1;
                        }
                    }
                }
            }
        }

        output.WriteLine(FormattableString.Invariant($"{steps} steps, {refused} refused before the weights changed, every weight finite"));
        return 0;
    }
}
