using ILGPU;
using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Devices;

namespace Mamba.Managed.ILGPU.Tests.Decode;

/// <summary>Runs a way of stepping over a few tokens of several sequences and compares logits and states of the first, a middle and the last with float64.</summary>
internal static class StepCheck
{
    /// <summary>One step: tokens, slots, where the logits go.</summary>
    public delegate void Step(int[] tokens, int[] slots, ArrayView<float> logits);

    /// <summary>Compares.</summary>
    /// <param name="steps">Tokens of each sequence.</param>
    /// <param name="bound">The largest error over the largest entry.</param>
    public static void EqualsFloat64(GpuSession session, RandomModel model, UploadedModel uploaded, int sequences, Step step, int steps = 5, double bound = 1e-5)
    {
        int[] slots = [.. Enumerable.Range(0, sequences).Select(_ => uploaded.Pool.Take()).Reverse()];
        int[] compared = [.. new[] { 0, sequences / 2, sequences - 1 }.Distinct()];
        Dictionary<int, ReferenceStep> references = compared.ToDictionary(s => s, _ => new ReferenceStep(model));
        int pitch = uploaded.Weights.Shape.LogitPitch;
        using MemoryBuffer1D<float, Stride1D.Dense> logits = session.Allocate<float>(sequences * pitch);
        for (int i = 0; i < steps; i++)
        {
            int[] tokens = [.. slots.Select((_, s) => ((7 * i) + (5 * s) + 1) % model.Config.VocabSize)];
            step(tokens, slots, logits.View);
            float[] found = logits.GetAsArray1D(session.Stream);
            foreach (int s in compared)
            {
                double[] expected = references[s].Run(tokens[s]);
                double[] row = [.. found.Skip(s * pitch).Take(expected.Length).Select(x => (double)x)];
                Assert.That(Error(row, expected), Is.LessThan(bound), $"logits of sequence {s}, step {i}");
            }
        }

        foreach (int s in compared)
        {
            Assert.That(Error(uploaded.State(slots[s]), references[s].State), Is.LessThan(bound), $"state of sequence {s}");
        }
    }

    /// <summary>The largest difference over the largest expected entry.</summary>
    public static double Error(double[] found, double[] expected)
    {
        Assert.That(found, Has.Length.EqualTo(expected.Length));
        double difference = found.Zip(expected, (a, b) => double.IsNaN(a) ? double.PositiveInfinity : Math.Abs(a - b)).Max();
        return difference / expected.Max(Math.Abs);
    }
}
