using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Tests.Models;

/// <summary>New models are drawn as mamba_simple.py and mixer_seq_simple.py of state-spaces/mamba draw them.</summary>
public class InitializationTests
{
    private static readonly MambaConfig Config = new()
    {
        DModel = 32, NLayer = 4, VocabSize = 40, DState = 8, DtScale = 0.5f, DtMin = 1e-5f, DtMax = 0.1f, DtInitFloor = 1e-3f, TieEmbeddings = false,
        InProjBias = true, OutProjBias = true,
    };

    private static readonly Dictionary<string, Tensor> Parameters = MambaLanguageModel.Create(Config, 1).Parameters().ToDictionary();

    [Test]
    public void The_transition_counts_the_states_and_the_skip_is_one()
    {
        float[] logarithms = [.. Enumerable.Range(1, 8).Select(n => MathF.Log(n))];
        Assert.That(Mixer("A_log").Chunk(8), Is.All.EqualTo(logarithms));
        Assert.That(Mixer("D"), Is.All.EqualTo(1));
        Assert.That(Values("backbone.norm_f.weight").Concat(Values("backbone.layers.3.norm.weight")), Is.All.EqualTo(1));
    }

    [Test]
    public void Steps_are_log_uniform_with_a_floor()
    {
        double[] steps = [.. Mixer("dt_proj.bias").Select(bias => Math.Log(1 + Math.Exp(bias)))];

        // Half of the logarithms of 1e-5 .. 1e-1 lie below that of the floor.
        Assert.That(steps, Is.All.InRange(1e-3 * 0.999, 0.1 * 1.001));
        Assert.That(steps.Count(step => step < 1e-3 * 1.001), Is.InRange(steps.Length * 0.3, steps.Length * 0.7));
        Assert.That(steps.Count(step => step > 1e-2), Is.InRange(steps.Length * 0.1, steps.Length * 0.4));
    }

    [TestCase("backbone.layers.1.mixer.in_proj.weight", 1 / 5.656854)]
    [TestCase("backbone.layers.1.mixer.conv1d.weight", 0.5)]
    [TestCase("backbone.layers.1.mixer.conv1d.bias", 0.5)]
    [TestCase("backbone.layers.1.mixer.x_proj.weight", 0.125)]
    [TestCase("backbone.layers.1.mixer.dt_proj.weight", 0.5 / 1.414214)]
    [TestCase("backbone.layers.1.mixer.out_proj.weight", 0.125 / 2)]
    [TestCase("lm_head.weight", 1 / 5.656854)]
    public void Matrices_are_uniform_within_a_bound(string name, double bound)
    {
        float[] values = Values(name);
        Assert.That(values.Max(Math.Abs), Is.InRange(0.9 * bound, 1.000001 * bound));
        Assert.That(values.Average(value => value * value), Is.EqualTo(bound * bound / 3).Within(20).Percent);
    }

    [Test]
    public void Embeddings_are_normal_and_biases_of_projections_zero()
    {
        Assert.That(Values("backbone.embeddings.weight").Average(value => value * value), Is.EqualTo(0.02 * 0.02).Within(15).Percent);
        Assert.That(Mixer("in_proj.bias").Concat(Mixer("out_proj.bias")), Is.All.Zero);
    }

    [Test]
    public void A_vocabulary_is_padded_to_a_multiple_of_8()
    {
        Assert.That(MambaConfig.PaddedVocabulary(50277), Is.EqualTo(50280));
        Assert.That(MambaConfig.PaddedVocabulary(256), Is.EqualTo(256));
        Assert.That(MambaConfig.PaddedVocabulary(317, 1), Is.EqualTo(317));
        Assert.That(() => MambaConfig.PaddedVocabulary(int.MaxValue), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    private static float[] Mixer(string name) => Values("backbone.layers.1.mixer." + name);

    private static float[] Values(string name) => Parameters[name].ToArray();
}
