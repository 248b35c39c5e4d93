using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Models;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Tests.Safety;

/// <summary>Files as they lie about: what is no file, what stands in for one, and marks that Windows editors write.</summary>
public class UntrustedFileTests
{
    private const string Pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0000\nsize 516567560\n";

    private string folder = "";

    [SetUp]
    public void MakeFolder()
    {
        folder = Directory.CreateTempSubdirectory("mamba-files-").FullName;
        Checkpoint.Save(folder, MambaLanguageModel.Create(new() { DModel = 8, NLayer = 1, VocabSize = 11 }, 1));
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), Tokenizers.TokenizerFileTests.Good);
    }

    [TearDown]
    public void RemoveFolder() => Directory.Delete(folder, recursive: true);

    [Test]
    [Platform("Linux")]
    public void What_is_no_file_is_refused_and_never_waited_for(
        [Values("config.json", "tokenizer.json", "generation_config.json", "model.safetensors")] string name,
        [Values("pipe", "link to a pipe", "/dev/zero", "/dev/tty", "socket", "folder")] string kind)
    {
        string path = Path.Combine(folder, name), other = Path.Combine(folder, "other");
        File.Delete(path);
        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        switch (kind)
        {
            case "pipe":
                MakePipe(path);
                break;
            case "link to a pipe":
                MakePipe(other);
                File.CreateSymbolicLink(path, other);
                break;
            case "socket":
                socket.Bind(new UnixDomainSocketEndPoint(path));
                break;
            case "folder":
                Directory.CreateDirectory(path);
                break;
            default:
                File.CreateSymbolicLink(path, kind);
                break;
        }

        TimeLimit.Run(() => Assert.That(Load, Throws.InstanceOf<InvalidDataException>().Or.InstanceOf<IOException>().With.Message.Contains(name)));
        TimeLimit.Run(() => Assert.That(() => UntrustedFile.Open(path), Throws.InstanceOf<InvalidDataException>().Or.InstanceOf<IOException>().With.Message.Contains(path)));

        void Load()
        {
            using ModelSource source = ModelSource.Open(folder);
            _ = source.Model;
            _ = source.Tokenizer;

            // A folder is passed over where a file may be absent.
            Throw.Unless(kind != "folder", $"{name} is a folder");
        }
    }

    [Test]
    [Platform("Linux")]
    public void A_GGUF_file_that_is_a_pipe_is_refused()
    {
        string path = Path.Combine(folder, "model.gguf");
        MakePipe(path);
        TimeLimit.Run(() => Assert.That(() => ModelSource.Open(path), Throws.TypeOf<InvalidDataException>().With.Message.Contains("pipe")));
    }

    [TestCase("config.json")]
    [TestCase("tokenizer.json")]
    [TestCase("tokenizer_config.json")]
    [TestCase("model.safetensors")]
    [TestCase("model.safetensors.index.json")]
    [TestCase("pytorch_model.bin")]
    public void A_pointer_of_git_lfs_is_called_what_it_is(string name)
    {
        if (name.StartsWith("model.safetensors.", StringComparison.Ordinal) || name.EndsWith("bin", StringComparison.Ordinal))
        {
            File.Delete(Path.Combine(folder, "model.safetensors"));
        }

        foreach (string text in new[] { Pointer, Pointer.ReplaceLineEndings("\r\n") })
        {
            File.WriteAllText(Path.Combine(folder, name), text);
            Assert.That(Load, Throws.TypeOf<InvalidDataException>().With.Message.Contains(name).And.Message.Contains("git-lfs pointer to 516567560 bytes"));
        }
    }

    [Test]
    public void A_pointer_in_place_of_a_GGUF_file_is_called_what_it_is()
    {
        string path = Path.Combine(folder, "model.gguf");
        File.WriteAllText(path, Pointer);
        Assert.That(() => ModelSource.Open(path), Throws.TypeOf<InvalidDataException>().With.Message.Contains("git lfs pull"));
    }

    [TestCase("config.json")]
    [TestCase("tokenizer.json")]
    [TestCase("tokenizer_config.json")]
    [TestCase("generation_config.json")]
    [TestCase("special_tokens_map.json")]
    public void A_byte_order_mark_is_passed_over_and_that_of_UTF16_named(string name)
    {
        string path = Path.Combine(folder, name), text = File.Exists(path) ? File.ReadAllText(path) : """{"unknown": 1}""";
        File.WriteAllText(path, text, new UTF8Encoding(encoderShouldEmitUTF8Identifier: true));
        Assert.That(File.ReadAllBytes(path)[0], Is.EqualTo(0xEF));
        Assert.That(Load().Encode("abc"), Is.EqualTo(new[] { 4 }));
        foreach (Encoding wide in new[] { Encoding.Unicode, Encoding.BigEndianUnicode })
        {
            File.WriteAllText(path, text, wide);
            Assert.That(Load, Throws.TypeOf<InvalidDataException>().With.Message.Contains("UTF-16").And.Message.Contains(name));
        }
    }

    [TestCase("", "empty file")]
    [TestCase("\uFEFF", "empty file")]
    [TestCase(" \n", "empty file")]
    [TestCase("""{"model_type": "mamba", "model_type": "mamba"}""", "each field is named once")]
    [TestCase("""{"a": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[""", "depth of 64")]
    public void What_is_wrong_with_JSON_is_said(string text, string expected)
    {
        File.WriteAllText(Path.Combine(folder, "config.json"), text);
        Assert.That(Load, Throws.TypeOf<InvalidDataException>().With.Message.Contains("config.json").And.Message.Contains(expected));
    }

    private static void MakePipe(string path)
    {
        using Process made = Process.Start("mkfifo", [path]);
        made.WaitForExit();
        Assert.That(made.ExitCode, Is.Zero);
    }

    private Tokenizer Load()
    {
        using ModelSource source = ModelSource.Open(folder);
        _ = source.Model;
        return source.Tokenizer;
    }
}
