using System.Text.Json;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Tests.Checkpoints;

/// <summary>A folder with the configuration of a small model, to which tests add weights of many forms.</summary>
internal sealed class WeightFolder : IDisposable
{
    public WeightFolder(bool isTied = true, Func<MambaConfig, MambaConfig>? change = null)
    {
        MambaConfig config = new() { DModel = 8, NLayer = 2, VocabSize = 16, DState = 3, DtRank = 1, TieEmbeddings = isTied };
        Model = MambaLanguageModel.Create(change?.Invoke(config) ?? config, 5);
        ConfigFile.Write(In("config.json"), Model.Config, ElementType.Float32);
    }

    public string Path { get; } = Directory.CreateTempSubdirectory("mamba-weights-").FullName;

    public MambaLanguageModel Model { get; }

    public Dictionary<string, Tensor> Tensors => Model.Parameters().ToDictionary();

    public string In(string file) => System.IO.Path.Combine(Path, file);

    public void WriteIndex(string name, IEnumerable<KeyValuePair<string, string>> shardOf) =>
        File.WriteAllBytes(In(name), JsonSerializer.SerializeToUtf8Bytes(new { metadata = new { total_size = 1 }, weight_map = shardOf.ToDictionary() }));

    /// <summary>The model of the folder has the bits of the one that was written.</summary>
    public MambaLanguageModel AssertLoads(MambaLanguageModel? expected = null)
    {
        MambaLanguageModel loaded = Opened.Model(Path);
        Assert.That(Values(loaded), Is.EqualTo(Values(expected ?? Model)));
        return loaded;
    }

    public void AssertRefused(params string[] named) => AssertRefused<InvalidDataException>(named);

    public void AssertRefused<TException>(params string[] named)
        where TException : Exception
    {
        TException error = Assert.Catch<TException>(() => Opened.Model(Path))!;
        Array.ForEach(named, part => Assert.That(error.Message, Does.Contain(part)));
        Assert.That(error.Message, Does.Not.Contain("damaged").And.Not.Contain("\n"));
        Assert.That(error.Message, Has.Length.LessThan(2000));
        Assert.That(error.Message, Does.StartWith(Path));
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);

    private static string[] Values(MambaLanguageModel model) =>
        [.. model.Parameters().Select(pair => $"{pair.Key} {pair.Value} {Convert.ToHexString(BytesOf(pair.Value))}")];

    private static byte[] BytesOf(Tensor tensor)
    {
        byte[] bytes = new byte[tensor.ByteLength];
        tensor.CopyBytesTo(0, bytes);
        return bytes;
    }
}
