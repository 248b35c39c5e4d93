using Mamba.Managed.Tensors;

namespace Mamba.Managed.Tests.Checkpoints;

/// <summary>Training checkpoints: the one state_dict inside is loaded, and everything else passed over without running anything.</summary>
public class StateDictionaryTests
{
    // As torch.save of protocol 2 writes them.
    private static readonly Dictionary<string, string> plain = new()
    {
        ["set"] = "c__builtin__\nset\n](K\u0001K\u0002e\u0085R",
        ["set of protocol 4"] = "\u008f(K\u0001K\u0002\u0090",
        ["frozenset of protocol 4"] = "(K\u0001\u0091",
        ["bytes"] = "c_codecs\nencode\nX\u0002\0\0\0abX\u0006\0\0\0latin1\u0086R",
        ["bytes of protocol 3"] = "C\u0003abc",
        ["size"] = "ctorch\nSize\nK\u0002K\u0003\u0086\u0085R",
        ["device"] = "ctorch\ndevice\nX\u0004\0\0\0cuda\u0085R",
        ["dtype"] = "ctorch\nbfloat16\n",
        ["number of NumPy"] = "cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\nX\u0002\0\0\0f8\u0089\u0088\u0087R(K\u0003X\u0001\0\0\0<NNNJ\u00ff\u00ff\u00ff\u00ffJ\u00ff\u00ff\u00ff\u00ffK\0tbc_codecs\nencode\nX\u0001\0\0\0aX\u0006\0\0\0latin1\u0086R\u0086R",
        ["namespace"] = "cargparse\nNamespace\n)\u0081}X\u0002\0\0\0lrG\0\0\0\0\0\0\0\0sb",
        ["default dictionary"] = "ccollections\ndefaultdict\nc__builtin__\nlist\n\u0085R(X\u0001\0\0\0aK\u0001u",
        ["attribute dictionary"] = "cpytorch_lightning.utilities.parsing\nAttributeDict\n)\u0081X\u0001\0\0\0aK\u0001s}b",
        ["path"] = "cpathlib\nPosixPath\nX\u0001\0\0\0aX\u0001\0\0\0b\u0086R",
        ["large number"] = "\u008a\u000a\u0001\u0002\u0003\u0004\u0005\u0006\u0007\u0008\u0009\u0001",
        ["random numbers"] = "ctorch._utils\n_rebuild_tensor_v2\n((X\u0007\0\0\0storagectorch\nByteStorage\nX\u0002\0\0\099X\u0003\0\0\0cpuM\u00c0\u0013tQK\0M\u00c0\u0013\u0085K\u0001\u0085\u0089ccollections\nOrderedDict\n)RtR",
        ["range"] = "c__builtin__\nxrange\nK\0K\u0003K\u0001\u0087R",
        ["text by the type of Python 2"] = "c__builtin__\nunicode\n",
        ["deque"] = "ccollections\ndeque\n]\u0085RK\u0001a",
        ["list by its own opcode"] = "(K\u0001K\u0002l",
        ["dictionary by its own opcode"] = "(K\u0001K\u0002d",
    };

    private WeightFolder folder = null!;

    public static IEnumerable<string> Plain => plain.Keys;

    [SetUp]
    public void MakeFolder() => folder = new();

    [TearDown]
    public void RemoveFolder() => folder.Dispose();

    [TestCase("model")]
    [TestCase("state_dict")]
    [TestCase("model_state_dict")]
    [TestCase("module")]
    [TestCase("anything else")]
    public void The_state_dict_of_a_checkpoint_is_loaded(string key)
    {
        Save(new()
        {
            ["epoch"] = 3, ["loss"] = 1.5, [key] = State(), ["optimizer"] = Optimizer(), ["scheduler"] = null, ["args"] = new List<object?> { "a", true, 1.5 },
            ["shape"] = new object?[] { 1, 2 }, ["best"] = Tensor.FromFloats([1.5f]),
        });
        folder.AssertLoads();
    }

    [Test]
    public void One_deeper_down_is_loaded_too()
    {
        Save(new() { ["checkpoint"] = new Dictionary<object, object?> { ["model"] = State(), ["step"] = 3 }, ["version"] = "1" });
        folder.AssertLoads();
    }

    [Test]
    public void A_checkpoint_of_PyTorch_Lightning_has_a_prefix_too()
    {
        Save(new()
        {
            ["epoch"] = 1, ["global_step"] = 2, ["pytorch-lightning_version"] = "2.1.0", ["loops"] = new Dictionary<object, object?>(),
            ["state_dict"] = TorchFile.StateOf(folder.Tensors.Select(pair => KeyValuePair.Create("model." + pair.Key, pair.Value))),
            ["callbacks"] = new Dictionary<object, object?> { ["ModelCheckpoint{'monitor': None}"] = new Dictionary<object, object?> { ["best_model_score"] = Tensor.FromFloats([1]), ["best_k.models"] = new Dictionary<object, object?>() } },
            ["optimizer_states"] = new List<object?> { Optimizer() },
        });
        folder.AssertLoads();
    }

    [TestCaseSource(nameof(Plain))]
    public void A_plain_value_beside_the_weights_is_passed_over(string value)
    {
        Save(new() { ["other"] = new Opcodes(plain[value]), ["model"] = State() });
        folder.AssertLoads();
    }

    [Test]
    public void Two_state_dicts_are_named()
    {
        Save(new() { ["model"] = State(), ["extra"] = new Dictionary<object, object?> { ["ema"] = State() } });
        folder.AssertRefused("model, extra/ema", "torch.save(model.state_dict(), path)");
    }

    [Test]
    public void A_checkpoint_without_a_state_dict_says_what_it_holds()
    {
        Save(new() { ["epoch"] = 3, ["optimizer"] = Optimizer() });
        folder.AssertRefused("epoch, optimizer", "torch.save(model.state_dict(), path)");
    }

    [Test]
    public void A_state_dict_with_another_value_in_it_names_it()
    {
        SortedDictionary<string, object?> state = State();
        state["backbone.extra"] = 3;
        Save(new() { ["model"] = state });
        folder.AssertRefused("model: backbone.extra: expected a tensor");
    }

    [Test]
    public void Weights_of_a_type_that_is_not_read_are_named_by_tensor_and_type()
    {
        SortedDictionary<string, object?> state = State();
        state["backbone.norm_f.weight"] = new Opcodes(plain["random numbers"].Replace("Byte", "Double", StringComparison.Ordinal));
        Save(new() { ["model"] = state });
        folder.AssertRefused("backbone.norm_f.weight", "float64");
    }

    [TestCase("cos\nsystem\nX\u0002\0\0\0ls\u0085R", "os.system")]
    [TestCase("c__builtin__\neval\nX\u0001\0\0\01\u0085R", "__builtin__.eval")]
    [TestCase("cmamba_ssm.models.mixer_seq_simple\nMambaLMHeadModel\n)\u0081}b", "MambaLMHeadModel")]
    public void A_name_that_is_not_harmless_is_refused_with_what_to_do(string opcodes, string named)
    {
        Save(new() { ["model"] = State(), ["other"] = new Opcodes(opcodes) });
        folder.AssertRefused(named, "nothing is executed", "state_dict");
    }

    [Test]
    public void A_dictionary_that_holds_itself_ends()
    {
        Save(new() { ["model"] = State(), ["other"] = new Opcodes("}r\u0001\u0001\u0001\0X\u0001\0\0\0aj\u0001\u0001\u0001\0s") });
        folder.AssertLoads();
    }

    private static Dictionary<object, object?> Optimizer() => new()
    {
        ["state"] = new Dictionary<object, object?>
        {
            [0] = new Dictionary<object, object?> { ["step"] = Tensor.FromFloats([5]), ["exp_avg"] = Tensor.FromFloats([1, 2, 3, 4], 2, 2) },
            [1] = new Dictionary<object, object?> { ["step"] = 5 },
        },
        ["param_groups"] = new List<object?> { new Dictionary<object, object?> { ["lr"] = 0.001, ["betas"] = new object?[] { 0.9, 0.999 }, ["params"] = new List<object?> { 0, 1 } } },
    };

    private SortedDictionary<string, object?> State() => TorchFile.StateOf(folder.Tensors);

    private void Save(Dictionary<object, object?> checkpoint) => TorchFile.Save(folder.In("pytorch_model.bin"), checkpoint);
}
