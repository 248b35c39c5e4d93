using Mamba.Managed.Checkpoints;
using Mamba.Managed.Checkpoints.Gguf;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Tests.Checkpoints;

/// <summary>Names with prefixes, heads beside tied embeddings, and tensors that a configuration has no place for.</summary>
public class TensorNamesTests
{
    private const string Head = "lm_head.weight";

    public static IEnumerable<Func<string, string>> Renamings =>
    [
        name => "module." + name,
        name => "_orig_mod." + name,
        name => "model." + name,
        name => "module._orig_mod." + name,
        name => "_orig_mod.module.model." + name,
        name => name.Replace("backbone.", "", StringComparison.Ordinal),
        name => name.Replace("backbone.", "model.", StringComparison.Ordinal),
        name => name == Head ? name : "model." + name,
        name => name.Replace("backbone.", "backbone._orig_mod.", StringComparison.Ordinal),
        name => "module." + name.Replace("embeddings", "embedding", StringComparison.Ordinal),
        name => name.Replace("embeddings", "embedding", StringComparison.Ordinal).Replace("backbone.", "", StringComparison.Ordinal),
    ];

    [Test]
    public void A_prefix_that_all_names_share_is_taken_off([Values(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)] int renaming, [Values] bool isTied, [Values] bool isArchive)
    {
        using WeightFolder folder = new(isTied);
        Func<string, string> rename = Renamings.ElementAt(renaming);
        IEnumerable<KeyValuePair<string, Tensor>> renamed = folder.Tensors.Select(pair => KeyValuePair.Create(rename(pair.Key), pair.Value));
        if (isArchive)
        {
            TorchFile.Save(folder.In("pytorch_model.bin"), TorchFile.StateOf(renamed));
        }
        else
        {
            SafetensorsFile.Save(folder.In("model.safetensors"), renamed);
        }

        MambaLanguageModel loaded = folder.AssertLoads();
        Assert.That(ModelFingerprint.Of(loaded), Is.EqualTo(ModelFingerprint.Of(folder.Model)));
    }

    [TestCase("module.")]
    [TestCase("")]
    public void Names_of_which_only_some_have_a_prefix_are_an_error(string prefix)
    {
        using WeightFolder folder = new();
        string other = prefix.Length == 0 ? "module." : "";
        Save(folder, folder.Tensors.ToDictionary(
            pair => (pair.Key.Contains("layers.1", StringComparison.Ordinal) ? other : prefix) + pair.Key, pair => pair.Value));
        folder.AssertRefused($"prefix \"{prefix}backbone.\"", other + "backbone.layers.1.mixer.A_log");
    }

    [Test]
    public void Two_embeddings_are_named()
    {
        using WeightFolder folder = new();
        Save(folder, new(folder.Tensors) { ["backbone.embedding.weight"] = folder.Model.Embeddings.Weight });
        folder.AssertRefused("backbone.embeddings.weight", "backbone.embedding.weight");
    }

    [Test]
    public void A_stored_head_that_is_the_embedding_is_tied()
    {
        using WeightFolder folder = new();
        Save(folder, new(folder.Tensors) { [Head] = folder.Model.Embeddings.Weight });
        Assert.That(folder.AssertLoads().Config.TieEmbeddings);
    }

    [Test]
    public void A_stored_head_that_differs_from_the_embedding_is_used_and_kept()
    {
        using WeightFolder folder = new();
        float[] values = folder.Model.Embeddings.Weight.ToArray();
        values[^1] += 1;
        Save(folder, new(folder.Tensors) { [Head] = Tensor.FromFloats(values, 16, 8) });
        using ModelSource source = ModelSource.Open(folder.Path);
        Assert.That(source.Model.HeadWeight.ToArray(), Is.EqualTo(values));
        Assert.That((source.Model.Config.TieEmbeddings, source.Config.TieEmbeddings), Is.EqualTo((false, false)));

        string copy = folder.In("copy"), gguf = folder.In("copy.gguf");
        ModelConversion.ToFolder(folder.Path, copy, ElementType.Float32);
        ModelConversion.ToGguf(folder.Path, gguf, GgufFileType.F32);
        Assert.That(Opened.Model(copy).HeadWeight.ToArray(), Is.EqualTo(values));
        Assert.That(Opened.Model(gguf).HeadWeight.ToArray(), Is.EqualTo(values));
    }

    [Test]
    public void A_stored_head_of_another_shape_is_named()
    {
        using WeightFolder folder = new();
        Save(folder, new(folder.Tensors) { [Head] = Tensor.Zeros(ElementType.Float32, 3, 8) });
        folder.AssertRefused($"{Head} [16, 8]: found Float32 [3, 8]");
    }

    [Test]
    public void A_head_that_is_missing_says_what_to_do()
    {
        using WeightFolder folder = new(isTied: false);
        Dictionary<string, Tensor> tensors = folder.Tensors;
        tensors.Remove(Head);
        Save(folder, tensors);
        folder.AssertRefused(Head, "tie_word_embeddings");
    }

    [TestCase("backbone.layers.0.mixer.in_proj.bias", 32)]
    [TestCase("backbone.layers.1.mixer.out_proj.bias", 8)]
    [TestCase("backbone.layers.0.mixer.conv1d.bias", 16)]
    [TestCase("backbone.layers.2.norm.weight", 8)]
    [TestCase("backbone.layers.0.mixer.A_b_log", 8)]
    [TestCase("lm_head.bias", 16)]
    public void A_tensor_that_the_configuration_has_no_place_for_is_named(string name, int length)
    {
        using WeightFolder folder = new(change: config => config with { ConvBias = false });
        Dictionary<string, Tensor> tensors = new(folder.Tensors) { [name] = Tensor.Zeros(ElementType.Float32, length) };
        TorchFile.Save(folder.In("pytorch_model.bin"), TorchFile.StateOf(tensors));
        folder.AssertRefused(name);
        Save(folder, tensors);
        folder.AssertRefused(name);
    }

    [Test]
    public void A_list_of_problems_is_short_and_shows_both_sides()
    {
        using WeightFolder folder = new();
        Save(folder, folder.Tensors.ToDictionary(pair => pair.Key.Replace("mixer", new string('m', 300), StringComparison.Ordinal), pair => pair.Value));
        folder.AssertRefused("is missing", new string('m', 60), "more");
    }

    private static void Save(WeightFolder folder, Dictionary<string, Tensor> tensors) => SafetensorsFile.Save(folder.In("model.safetensors"), tensors);
}
