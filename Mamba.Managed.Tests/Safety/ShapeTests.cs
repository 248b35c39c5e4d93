using System.Diagnostics;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Training;

namespace Mamba.Managed.Tests.Safety;

/// <summary>Sizes that contradict each other are refused, with the parameter's path, before anything is read or written.</summary>
public class ShapeTests
{
    public static IEnumerable<string> Attacks => ShapeAttacks.All.Keys;

    [TestCaseSource(nameof(Attacks))]
    public void Contradicting_sizes_are_refused(string attack)
    {
        using Process child = Process.Start(new ProcessStartInfo("dotnet")
        {
            ArgumentList = { typeof(ShapeAttacks).Assembly.Location, "shapes", attack },
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        Task<string> errors = child.StandardError.ReadToEndAsync();
        string output = child.StandardOutput.ReadToEnd();
        child.WaitForExit();
        Assert.That(child.ExitCode, Is.Zero, output + errors.Result);
        Assert.That(output, Does.Contain(ShapeAttacks.All[attack].Named));
    }

    [Test]
    public void A_record_is_refused_when_it_is_made()
    {
        MambaLanguageModel model = ShapeAttacks.Small();
        ResidualBlock block = model.Layers[0], narrow = MambaLanguageModel.Create(new() { DModel = 8, NLayer = 1, VocabSize = 4 }, 1).Layers[0];
        Assert.Multiple(() =>
        {
            Assert.That(() => new Linear(Zeros(4)), Refused("weight: expected floating-point numbers [any, any], found Float32 [4]"));
            Assert.That(() => new Linear(Zeros(4, 0)), Refused("weight"));
            Assert.That(() => new Linear(null!), Refused("weight: expected floating-point numbers [any, any], found none"));
            Assert.That(() => new Linear(Tensor.Zeros(ElementType.Int64, 4, 4)), Refused("found Int64 [4, 4]"));
            Assert.That(() => new Linear(Zeros(4, 3), Zeros(3)), Refused("bias: expected floating-point numbers [4], found Float32 [3]"));
            Assert.That(() => new RmsNorm(Zeros(4, 3), 1e-5f), Refused("weight"));
            Assert.That(() => new CausalConv1d(Zeros(4, 3), null), Refused("weight: expected floating-point numbers [any, 1, any]"));
            Assert.That(() => new CausalConv1d(Zeros(4, 2, 3), null), Refused("weight"));
            Assert.That(() => new Embedding(Zeros(4)), Refused("weight"));
            Assert.That(() => new Shared(new(Zeros(4, 3)), new(Zeros(3, 4))), Refused("lm_head.weight: expected floating-point numbers [4, 3]"));
            Assert.That(() => new ResidualBlock(narrow.Norm, block.Mixer), Refused("norm.weight: expected floating-point numbers [64]"));
            Assert.That(() => new Sequential([]), Refused("at least one block"));
            Assert.That(() => new Sequential([block, narrow]), Refused("1: expected a block of width 64"));
            Assert.That(() => new MambaLanguageModel(model.Config, model.Vocabulary, new([block]), model.NormF), Refused("backbone.layers.1.norm.weight [64] is missing"));
            Assert.That(() => new MambaLanguageModel(model.Config with { NLayer = 1 }, model.Vocabulary, model.Layers, model.NormF), Refused("backbone.layers.1."));
            Assert.That(() => new MambaLanguageModel(model.Config with { TieEmbeddings = false }, model.Vocabulary, model.Layers, model.NormF), Refused("lm_head.weight"));
            Assert.That(() => new MambaLanguageModel(model.Config, model.Vocabulary, model.Layers, model.NormF with { Epsilon = 1 }), Refused("epsilon"));
            Assert.That(() => new SelectiveStateSpaceModel(
                block.Mixer.InProj, block.Mixer.Conv1d, block.Mixer.XProj, block.Mixer.DtProj, block.Mixer.ALog, Zeros(3), block.Mixer.OutProj), Refused("D: expected"));
        });
    }

    [Test]
    public void A_copy_with_another_part_is_refused_when_it_is_used()
    {
        MambaLanguageModel model = ShapeAttacks.Small();
        ResidualBlock block = model.Layers[0];
        Assert.Multiple(() =>
        {
            Assert.That(() => (block.Norm with { Weight = Zeros(2, 32) }).Forward(new float[1, 64], new float[1, 64]), Refused("weight"));
            Assert.That(() => (block.Mixer.OutProj with { Bias = Zeros(1) }).Forward(new float[1, 128], new float[1, 64]), Refused("bias"));
            Assert.That(() => (model.Embeddings with { Weight = Zeros(1) }).Forward([0], new float[1, 64]), Refused("weight"));
            Assert.That(() => (block with { Norm = new(Zeros(3), 1) }).Forward(new float[1, 64], block.Mixer.CreateState(), new float[1, 64]), Refused("norm.weight"));
            Assert.That(() => (block.Mixer with { ALog = Zeros(3, 3) }).CreateState(), Refused("in_proj.weight"));
            Assert.That(() => (model with { Config = model.Config with { DConv = 3 } }).Validate(), Refused("backbone.layers.0.mixer.conv1d.weight [128, 1, 3]"));
            Assert.That(
                () => ShapeAttacks.Changed(mixer => mixer with { D = Zeros(4) }).Forward([1], new CpuState(model.Config), new float[256]),
                Refused("backbone.layers.0.mixer.D [128]: found Float32 [4]"));
            Assert.That(() => block.Mixer.Forward(new float[1, 64], new MixerState(128, 4, 8), new float[1, 64]), Refused("d_state 16"));
        });
    }

    [Test]
    public void A_mixer_alone_needs_no_bias_of_steps()
    {
        SelectiveStateSpaceModel mixer = ShapeAttacks.Small().Layers[0].Mixer;
        SelectiveStateSpaceModel without = mixer with { DtProj = mixer.DtProj with { Bias = null } }, zero = mixer with { DtProj = mixer.DtProj with { Bias = Zeros(128) } };
        float[,] x = new float[5, 64], y = new float[5, 64], expected = new float[5, 64];
        x[2, 3] = 1;
        without.Forward(x, without.CreateState(), y);
        zero.Forward(x, zero.CreateState(), expected);
        Assert.That(y, Is.EqualTo(expected));
    }

    [Test]
    public void A_wrong_configuration_is_a_callers_mistake_unless_a_file_has_it()
    {
        MambaConfig config = new() { DModel = 0, NLayer = 1, VocabSize = 4 };
        Assert.Multiple(() =>
        {
            Assert.That(() => config.Validate(), Refused("d_model: expected 1 to 65536, found 0"));
            Assert.That(() => MambaLanguageModel.Create(config, 1), Refused("d_model"));
            Assert.That(() => new CpuState(config), Refused("d_model"));
            Assert.That(() => new TrainingPass(config), Refused("d_model"));
            Assert.That(() => MambaLanguageModel.FromTensors(config, new Dictionary<string, Tensor>()), Refused("d_model"));
        });
    }

    private static NUnit.Framework.Constraints.ContainsConstraint Refused(string named) => Throws.InstanceOf<ArgumentException>().With.Message.Contains(named);

    private static Tensor Zeros(params ReadOnlySpan<int> shape) => Tensor.Zeros(ElementType.Float32, shape);
}
