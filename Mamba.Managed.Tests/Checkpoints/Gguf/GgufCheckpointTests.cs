using Mamba.Managed.Checkpoints.Gguf;
using Mamba.Managed.Execution;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;
using Mamba.Managed.Tensors.Blocks;

namespace Mamba.Managed.Tests.Checkpoints.Gguf;

public class GgufCheckpointTests
{
    private string folder = "";
    private double exactCost;

    [OneTimeSetUp]
    public void MeasureTheExactModel() => exactCost = NatsPerByte(GgufFixtures.ShakespeareModel());

    [SetUp]
    public void MakeFolder() => folder = Directory.CreateTempSubdirectory("mamba-gguf-").FullName;

    [TearDown]
    public void DeleteFolder() => Directory.Delete(folder, recursive: true);

    [Test]
    public void A_single_precision_file_holds_the_model_but_for_the_rounding_of_A()
    {
        MambaLanguageModel model = GgufFixtures.SmallModel();
        MambaLanguageModel loaded = SaveAndLoad(model, GgufFileType.F32);
        Assert.That(loaded.Config, Is.EqualTo(model.Config with { DtRank = 2, DInner = 64 }));
        Dictionary<string, Tensor> found = loaded.Parameters().ToDictionary();
        foreach ((string name, Tensor tensor) in model.Parameters())
        {
            double tolerance = name.EndsWith("A_log", StringComparison.Ordinal) ? 1.3e-7 : 0;
            Assert.That(found[name].HasShape(tensor.Shape), name);
            Assert.That(found[name].ToArray(), Is.EqualTo(tensor.ToArray()).Within(tolerance), name);
        }
    }

    [Test]
    public void Configurations_come_back([Values] bool biases, [Values] bool isTied, [Values(null, 1e-6f, 1e-5f)] float? mixerEpsilon)
    {
        MambaConfig config = new()
        {
            DModel = 24, NLayer = 1, VocabSize = 40, DState = 5, DConv = 3, DInner = 72, DtRank = 3, InProjBias = biases, OutProjBias = biases,
            ConvBias = !biases, TieEmbeddings = isTied, NormEpsilon = 1e-5f, MixerNormEpsilon = mixerEpsilon, EndTokenId = 7,
        };
        Assert.That(SaveAndLoad(MambaLanguageModel.Create(config, 3), GgufFileType.Q4_K_M).Config, Is.EqualTo(config));
    }

    [TestCase(GgufFileType.F16, 0.0001)]
    [TestCase(GgufFileType.BF16, 0.001)]
    [TestCase(GgufFileType.Q8_0, 0.001)]
    [TestCase(GgufFileType.Q6_K, 0.003)]
    [TestCase(GgufFileType.Q5_K_M, 0.01)]
    [TestCase(GgufFileType.Q4_K_M, 0.02)]
    [TestCase(GgufFileType.Q4_0, 0.03)]
    [TestCase(GgufFileType.Q4_1, 0.03)]
    [TestCase(GgufFileType.Q5_0, 0.015)]
    [TestCase(GgufFileType.Q5_1, 0.015)]
    [TestCase(GgufFileType.Q3_K_M, 0.1)]
    [TestCase(GgufFileType.Q2_K, 0.5)]
    public void Quantizing_costs_little(GgufFileType type, double most)
    {
        double cost = NatsPerByte(SaveAndLoad(GgufFixtures.ShakespeareModel(), type)) - exactCost;
        TestContext.Out.WriteLine(Throw.Invariant($"{type} costs {cost:f5} nats a byte"));
        Assert.That(cost, Is.LessThanOrEqualTo(most));
    }

    [TestCase("Q8_0", GgufFileType.Q8_0)]
    [TestCase("Q4_0", GgufFileType.Q4_0)]
    [TestCase("Q4_K_M", GgufFileType.Q4_K_M)]
    [TestCase("Q5_K_M", GgufFileType.Q5_K_M)]
    public void Types_are_those_that_llama_quantize_chooses(string name, GgufFileType type)
    {
        GgufFile theirs = GgufFile.Open(Path.Combine(TestContext.CurrentContext.TestDirectory, "Fixtures", "gguf", $"shakespeare-{name}.gguf"));
        string path = Path.Combine(folder, "ours.gguf");
        GgufCheckpoint.Save(path, GgufCheckpoint.ToModel(theirs).Map("", (_, tensor) => Tensor.Zeros(ElementType.Float32, tensor.Shape)), type);
        GgufFile ours = GgufFile.Open(path);
        Assert.That(ours.Tensors.Select(p => (p.Key, p.Value.ToString())), Is.EquivalentTo(theirs.Tensors.Select(p => (p.Key, p.Value.ToString()))));
        Assert.That(ours.Metadata.Keys, Is.EquivalentTo(theirs.Metadata.Keys));
        foreach ((string key, GgufValue value) in theirs.Metadata.Where(p => p.Key != "general.name"))
        {
            Assert.That(ours.Metadata[key].ToString(), Is.EqualTo(value.ToString()), key);
        }
    }

    [Test]
    public void A_row_that_is_no_multiple_of_256_takes_smaller_blocks_or_half_precision()
    {
        MambaConfig config = new() { DModel = 96, NLayer = 1, VocabSize = 40, DtRank = 6, TieEmbeddings = false };
        string path = Path.Combine(folder, "ours.gguf");
        GgufCheckpoint.Save(path, MambaLanguageModel.Create(config, 3), GgufFileType.Q4_K_M);
        IReadOnlyDictionary<string, Tensor> tensors = GgufFile.Open(path).Tensors;
        Assert.Multiple(() =>
        {
            Assert.That(tensors["output.weight"].Type, Is.EqualTo(ElementType.Q8_0));
            Assert.That(tensors["token_embd.weight"].Type, Is.EqualTo(ElementType.Q5_0));
            Assert.That(tensors["blk.0.ssm_out.weight"].Type, Is.EqualTo(ElementType.Q5_0));
            Assert.That(tensors["blk.0.ssm_dt.weight"].Type, Is.EqualTo(ElementType.Float16));
            Assert.That(tensors["blk.0.ssm_conv1d.weight"].ToString(), Is.EqualTo("Float32 [192, 4]"));
        });
    }

    [Test]
    public void Single_matrices_take_types_of_their_own()
    {
        string path = Path.Combine(folder, "ours.gguf");
        const string Embedding = "backbone.embeddings.weight", In = "backbone.layers.1.mixer.in_proj.weight";
        GgufCheckpoint.Save(path, GgufFixtures.SmallModel(), GgufFileType.F16, matrices: new Dictionary<string, ElementType>
        {
            [Embedding] = ElementType.Float32,
            [In] = ElementType.Q5_1,
        });
        Dictionary<string, Tensor> found = Opened.Model(path).Parameters().ToDictionary();
        Assert.That((found[Embedding].Type, found[In].Type), Is.EqualTo((ElementType.Float32, ElementType.Q5_1)));
        Assert.That(found[In.Replace('1', '0')].Type, Is.EqualTo(ElementType.Float16));
    }

    [TestCase("backbone.layers.0.mixer.D", ElementType.Q8_0, "expected a matrix of the model, found Float32 [")]
    [TestCase("backbone.layers.9.mixer.in_proj.weight", ElementType.Q8_0, "expected a matrix of the model, found no such tensor")]
    [TestCase("backbone.layers.0.mixer.in_proj.weight", ElementType.Q4_K, "whose blocks fill its rows of 32, found Q4_K")]
    [TestCase("backbone.layers.0.mixer.in_proj.weight", ElementType.Int64, "found Int64")]
    public void Types_of_single_matrices_are_checked_before_anything_is_written(string name, ElementType type, string complaint)
    {
        string path = Path.Combine(folder, "ours.gguf");
        Assert.That(
            () => GgufCheckpoint.Save(path, GgufFixtures.SmallModel(), GgufFileType.F16, matrices: new Dictionary<string, ElementType> { [name] = type }),
            Throws.ArgumentException.With.Message.StartsWith($"{name}: ").And.Message.Contains(complaint));
        Assert.That(Directory.GetFiles(folder), Is.Empty);
    }

    [Test]
    public void Another_architecture_is_refused_by_name() => AssertRefused("llama", metadata => metadata["general.architecture"] = GgufValue.From("llama"));

    [Test]
    public void A_missing_value_is_named() => AssertRefused("mamba.ssm.state_size", metadata => metadata["mamba.ssm.state_size"] = GgufValue.From("sixteen"));

    [Test]
    public void Tensors_that_do_not_fit_are_listed() => AssertRefused(
        "backbone.layers.0.mixer.dt_proj.weight [64, 3]", metadata => metadata["mamba.ssm.time_step_rank"] = GgufValue.From(3u));

    [Test]
    public void Blocks_beyond_the_configuration_are_listed() => AssertRefused("backbone.layers.1.mixer.A_log", metadata => metadata["mamba.block_count"] = GgufValue.From(1u));

    [Test]
    public void A_model_with_a_weight_that_is_not_finite_leaves_the_old_file_as_it_was()
    {
        string path = Path.Combine(folder, "model.gguf");
        File.WriteAllText(path, "old");
        MambaLanguageModel model = GgufFixtures.SmallModel();
        model.Layers[1].Mixer.OutProj.Weight.Floats[5] = float.NaN;
        Assert.That(() => GgufCheckpoint.Save(path, model, GgufFileType.Q8_0), Throws.ArgumentException);
        Assert.That(File.ReadAllText(path), Is.EqualTo("old"));
        Assert.That(Directory.GetFiles(folder), Has.Length.EqualTo(1));
    }

    [Test]
    public void The_tokenizer_is_carried_as_data_and_filled_up_to_the_embedding()
    {
        string path = Path.Combine(folder, "model.gguf");
        GgufVocabulary vocabulary = new("gpt2", "olmo", ["a", "Ġb", "aĠb"], [1, 1, 3], ["a Ġb"]) { EndTokenId = 2 };
        GgufCheckpoint.Save(path, GgufFixtures.SmallModel(), GgufFileType.F32, vocabulary, "small");
        GgufFile file = GgufFile.Open(path);
        GgufVocabulary found = GgufVocabulary.Read(file.Metadata)!;
        Assert.Multiple(() =>
        {
            Assert.That(found.Tokens, Has.Count.EqualTo(48));
            Assert.That(found.Tokens.Take(4), Is.EqualTo(new[] { "a", "Ġb", "aĠb", "[PAD3]" }));
            Assert.That(found.TokenTypes.Take(4), Is.EqualTo(new[] { 1, 1, 3, 5 }));
            Assert.That(found.Merges, Is.EqualTo(vocabulary.Merges));
            Assert.That((found.Model, found.Pre, found.StartTokenId, found.EndTokenId), Is.EqualTo(("gpt2", "olmo", (int?)null, (int?)2)));
            Assert.That(GgufCheckpoint.ToModel(file).Config.EndTokenId, Is.EqualTo(2));
            Assert.That(file.Metadata.GetString("general.name"), Is.EqualTo("small"));
        });
    }

    [Test]
    public void The_vocabulary_of_bytes_gives_each_byte_a_letter_of_its_own()
    {
        IReadOnlyList<string> tokens = GgufVocabulary.OfBytes().Tokens;
        Assert.That(tokens, Is.Unique.And.Count.EqualTo(256));
        Assert.That(new[] { tokens['A'], tokens[' '], tokens['\n'], tokens[255] }, Is.EqualTo(new[] { "A", "Ġ", "Ċ", "ÿ" }));
    }

    private void AssertRefused(string named, Action<GgufMetadata> change)
    {
        string path = Path.Combine(folder, "model.gguf"), changed = Path.Combine(folder, "changed.gguf");
        GgufCheckpoint.Save(path, GgufFixtures.SmallModel(), GgufFileType.F32);
        GgufFile file = GgufFile.Open(path);
        change(file.Metadata);
        GgufFile.Save(changed, file.Metadata, file.Tensors);
        Assert.That(() => Opened.Model(changed), Throws.InstanceOf<InvalidDataException>().With.Message.Contains(named).And.Message.Contains(changed));
    }

    private MambaLanguageModel SaveAndLoad(MambaLanguageModel model, GgufFileType type)
    {
        string path = Path.Combine(folder, "model.gguf");
        GgufCheckpoint.Save(path, model, type);
        return Opened.Model(path);
    }

    private static double NatsPerByte(MambaLanguageModel model)
    {
        using CpuExecutor executor = new(model, 2);
        return GgufFixtures.NatsPerByte(executor, 128);
    }
}
