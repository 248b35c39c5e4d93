using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Training;

namespace Mamba.Managed.ILGPU.Tests.Training;

/// <summary>Small models and batches on which engines are compared.</summary>
internal static class TrainingCase
{
    public static readonly MambaConfig[] Shapes =
    [
        new() { DModel = 24, NLayer = 2, VocabSize = 40 },
        new() { DModel = 10, NLayer = 2, VocabSize = 33, DInner = 35, DState = 5, DConv = 3, DtRank = 3, InProjBias = true, OutProjBias = true, TieEmbeddings = false },
        new() { DModel = 17, NLayer = 1, VocabSize = 17, DInner = 50, DState = 18, ConvBias = false, MixerNormEpsilon = 1e-6f, TieEmbeddings = false },
    ];

    public static TrainingBatch Batch(MambaConfig config, params int[] lengths)
    {
        Random random = new(lengths.Sum());
        int rows = lengths.Sum();
        int[] tokens = [.. Enumerable.Range(0, rows).Select(_ => random.Next(config.VocabSize))];
        int[] targets = [.. Enumerable.Range(0, rows).Select(row => row % 7 == 3 ? TrainingBatch.NoTarget : random.Next(config.VocabSize))];
        return new(tokens, targets, lengths);
    }

    public static CpuState[] States(MambaConfig config, int count, int seed)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, count).Select(i =>
        {
            CpuState state = new(config);
            float[] values = [.. Enumerable.Range(0, (int)state.Layout.Length(0)).Select(_ => (float)((random.NextDouble() * 2) - 1))];
            state.Import(values, i);
            return state;
        })];
    }

    public static float[] Flat(IEnumerable<CpuState> states) => [.. states.SelectMany(state =>
    {
        float[] values = new float[state.Layout.Length(state.Position)];
        state.Export(values);
        return values.Append(state.Position);
    })];

    public static float[] Flat(MambaLanguageModel model) => [.. model.Parameters().SelectMany(parameter => parameter.Value.ToArray())];

    /// <summary>Each tensor within a share of its largest entry.</summary>
    public static void AssertClose(IEnumerable<KeyValuePair<string, Tensor>> found, IEnumerable<KeyValuePair<string, Tensor>> expected, double tolerance) => Assert.Multiple(() =>
    {
        foreach ((KeyValuePair<string, Tensor> a, KeyValuePair<string, Tensor> b) in found.Zip(expected))
        {
            float[] truth = b.Value.ToArray();
            Assert.That(a.Key, Is.EqualTo(b.Key));
            Assert.That(a.Value.ToArray(), Is.EqualTo(truth).Within(tolerance * truth.Max(Math.Abs)), a.Key);
        }
    });

    public static void AssertClose(float[] found, float[] expected, double tolerance) =>
        Assert.That(found, Is.EqualTo(expected).Within(tolerance * expected.Max(Math.Abs)));
}
