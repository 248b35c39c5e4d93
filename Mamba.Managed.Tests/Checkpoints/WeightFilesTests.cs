using System.IO.Compression;
using System.Text;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Checkpoints.Gguf;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Tests.Checkpoints;

/// <summary>Which files of a folder are taken for its weights, and what is said of files of another kind.</summary>
public class WeightFilesTests
{
    private const string First = "pytorch_model-00001-of-00002.bin", Second = "pytorch_model-00002-of-00002.bin", Index = "pytorch_model.bin.index.json";

    private WeightFolder folder = null!;

    [SetUp]
    public void MakeFolder() => folder = new();

    [TearDown]
    public void RemoveFolder() => folder.Dispose();

    [Test]
    public void PyTorch_archives_in_shards_give_the_bits_of_one_file()
    {
        WriteShards();
        folder.AssertLoads();
        using ModelSource source = ModelSource.Open(folder.Path);
        _ = source.Model;
        Assert.That(source.WeightPaths, Has.Count.EqualTo(2));
    }

    [Test]
    public void Shards_may_have_any_plain_names()
    {
        Dictionary<string, Tensor> tensors = folder.Tensors;
        TorchFile.Save(folder.In("weights of the model.pt"), TorchFile.StateOf(tensors));
        folder.WriteIndex(Index, tensors.Keys.Select(name => KeyValuePair.Create(name, "weights of the model.pt")));
        folder.AssertLoads();
    }

    [TestCase("../secret.bin")]
    [TestCase("/etc/passwd")]
    [TestCase("a\\b.bin")]
    [TestCase("c:x.bin")]
    [TestCase("..")]
    [TestCase("")]
    public void An_index_does_not_lead_out_of_the_folder(string shard)
    {
        folder.WriteIndex(Index, [new("a", shard)]);
        folder.AssertRefused(Index, "names of files in the same folder");
    }

    [Test]
    public void A_missing_shard_is_named()
    {
        WriteShards();
        File.Delete(folder.In(Second));
        folder.AssertRefused<FileNotFoundException>(Index, Second, "download");
    }

    [Test]
    public void At_most_a_dozen_missing_shards_are_listed()
    {
        folder.WriteIndex(Index, Enumerable.Range(0, 400).Select(i => KeyValuePair.Create($"{i}", new string('x', 150) + i)));
        folder.AssertRefused<FileNotFoundException>("and 388 more");
    }

    [Test]
    public void A_tensor_in_two_shards_is_named()
    {
        WriteShards(again: "backbone.norm_f.weight");
        folder.AssertRefused("backbone.norm_f.weight", "each tensor in one file");
    }

    [Test]
    public void Tensors_that_the_index_promises_are_named()
    {
        WriteShards(left: "backbone.norm_f.weight");
        folder.AssertRefused(Index, "backbone.norm_f.weight");
    }

    [TestCase("model.pt")]
    [TestCase("checkpoint.pth")]
    [TestCase("last.ckpt")]
    [TestCase("weights.bin")]
    public void The_only_file_of_weights_may_have_another_name(string name)
    {
        TorchFile.Save(folder.In(name), TorchFile.StateOf(folder.Tensors));
        File.WriteAllText(folder.In("training_args.bin"), "");
        File.WriteAllText(folder.In("optimizer.pt"), "");
        File.WriteAllText(folder.In("rng_state_0.pth"), "");
        folder.AssertLoads();
    }

    [Test]
    public void The_only_safetensors_file_may_have_another_name()
    {
        SafetensorsFile.Save(folder.In("mamba.safetensors"), folder.Tensors);
        folder.AssertLoads();
    }

    [Test]
    public void Several_files_of_weights_are_listed()
    {
        SafetensorsFile.Save(folder.In("a.safetensors"), folder.Tensors);
        TorchFile.Save(folder.In("b.pt"), TorchFile.StateOf(folder.Tensors));
        folder.AssertRefused("a.safetensors, b.pt", "move away");
    }

    [Test]
    public void Shards_without_an_index_are_called_what_they_are()
    {
        SafetensorsFile.Save(folder.In("model-00001-of-00002.safetensors"), folder.Tensors);
        folder.AssertRefused("model.safetensors.index.json", "model-00001-of-00002.safetensors");
    }

    [Test]
    public void A_GGUF_file_in_the_folder_is_pointed_at()
    {
        File.WriteAllText(folder.In("m.gguf"), "GGUF");
        folder.AssertRefused<FileNotFoundException>("m.gguf", "path");
        File.Delete(folder.In("config.json"));
        folder.AssertRefused<FileNotFoundException>("m.gguf", "path");
    }

    [TestCase("model.safetensors", "GGUF and more", "a GGUF file")]
    [TestCase("model.safetensors", "PK\u0003\u0004 and more", "a zip archive")]
    [TestCase("model.safetensors", "{\"a\": 1}", "a JSON file")]
    [TestCase("model.safetensors", "<!DOCTYPE html>", "a web page")]
    [TestCase("pytorch_model.bin", "GGUF and more", "a GGUF file")]
    [TestCase("pytorch_model.bin", "\u0010\0\0\0\0\0\0\0{\"a\":{}}        ", "a safetensors file")]
    [TestCase("pytorch_model.bin", "\u0080\u0002\u008a\nl\u00fc\u009cF\u00f9 j\u00a8P\u0019.", "a PyTorch file older than version 1.6")]
    [TestCase("pytorch_model.bin", "\u0080\u0004}.", "a pickle")]
    [TestCase("pytorch_model.bin", "\u001f\u008b\u0008", "a gzip archive")]
    [TestCase("pytorch_model.bin", "\u0089HDF\r\n", "an HDF5 file")]
    [TestCase("pytorch_model.bin", "", "not complete")]
    public void A_file_of_another_kind_is_called_what_it_is(string name, string content, string kind)
    {
        File.WriteAllBytes(folder.In(name), Encoding.Latin1.GetBytes(content));
        folder.AssertRefused(name, kind);
    }

    [Test]
    public void A_zip_archive_that_PyTorch_did_not_write_is_no_model()
    {
        using (ZipArchive zip = ZipFile.Open(folder.In("pytorch_model.bin"), ZipArchiveMode.Create))
        {
            zip.CreateEntry("model.safetensors");
        }

        folder.AssertRefused("unpack");
    }

    [TestCase("model.safetensors", "a safetensors file", "folder")]
    [TestCase("pytorch_model.bin", "a zip archive", "folder")]
    [TestCase("config.json", "a JSON file", "folder")]
    public void A_file_of_a_folder_given_for_the_model_says_to_give_the_folder(string name, string kind, string advice)
    {
        SafetensorsFile.Save(folder.In("model.safetensors"), folder.Tensors);
        TorchFile.Save(folder.In("pytorch_model.bin"), TorchFile.StateOf(folder.Tensors));
        Assert.That(() => ModelSource.Open(folder.In(name)), Throws.InstanceOf<InvalidDataException>()
            .With.Message.StartsWith(folder.In(name)).And.Message.Contains(kind).And.Message.Contains(advice));
        Assert.That(() => GgufFile.Open(folder.In(name)), Throws.InstanceOf<InvalidDataException>());
    }

    private void WriteShards(string? again = null, string? left = null)
    {
        Dictionary<string, Tensor> tensors = folder.Tensors;
        string[] names = [.. tensors.Keys];
        string[] first = names[..5], second = [.. names[5..].Where(name => name != left)];
        TorchFile.Save(folder.In(First), TorchFile.StateOf(tensors.Where(pair => first.Contains(pair.Key) || pair.Key == again)));
        TorchFile.Save(folder.In(Second), TorchFile.StateOf(tensors.Where(pair => second.Contains(pair.Key))));
        folder.WriteIndex(Index, names.Select(name => KeyValuePair.Create(name, first.Contains(name) ? First : Second)));
    }
}
