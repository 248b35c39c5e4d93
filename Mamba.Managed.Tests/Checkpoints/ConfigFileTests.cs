using System.Text;
using System.Text.Json;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Tests.Checkpoints;

/// <summary>config.json of both layouts: what is done, what has no effect, and what is refused by name.</summary>
public class ConfigFileTests
{
    private const string Plain = "\"model_type\": \"mamba\", \"hidden_size\": 16, \"num_hidden_layers\": 1, \"vocab_size\": 64";
    private const string Original = "\"d_model\": 10, \"n_layer\": 1, \"vocab_size\": 61";

    private string file = "";

    [SetUp]
    public void MakeFile() => file = Path.Combine(Directory.CreateTempSubdirectory("mamba-config-").FullName, "config.json");

    [TearDown]
    public void RemoveFile() => Directory.Delete(Path.GetDirectoryName(file)!, recursive: true);

    [TestCase("\"time_step_limit\": [0.0, Infinity]")]
    [TestCase("\"time_step_limit\": [-Infinity, Infinity], \"other\": NaN")]
    [TestCase("\"time_step_limit\": [0.0, {\"__float__\": \"Infinity\"}]")]
    [TestCase("\"text\": \"NaN, \\\" Infinity\"")]
    [TestCase("\"state_size\": 16.0, \"conv_kernel\": 4e0")]
    [TestCase("\"use_cache\": false, \"use_mambapy\": true, \"use_associative_scan\": true, \"residual_in_fp32\": false, \"torch_dtype\": \"bfloat16\", \"auto_map\": {\"AutoConfig\": \"x.Y\"}")]
    [TestCase("\"architectures\": [\"MambaForCausalLM\"], \"quantization_config\": null, \"hidden_act\": \"swish\"")]
    [TestCase("\"architectures\": [\"MambaModel\"], \"rms_norm\": true")]
    [TestCase("\"architectures\": null, \"quantization_config\": {}, \"time_step_init_scheme\": \"constant\"")]
    public void What_has_no_effect_on_the_numbers_is_passed_over(string fields) => Assert.That(Read($"{{{Plain}, {fields}}}"), Is.EqualTo(Read($"{{{Plain}}}")));

    [TestCase("\"layer_norm_epsilon\": Infinity", "layer_norm_epsilon: expected a finite number, found Infinity")]
    [TestCase("\"layer_norm_epsilon\": NaN", "layer_norm_epsilon: expected a finite number, found NaN")]
    [TestCase("\"time_step_max\": {\"__float__\": \"-Infinity\"}", "time_step_max: expected a finite number, found -Infinity")]
    [TestCase("\"time_step_min\": 1e400", "time_step_min: expected a finite number, found 1e400")]
    [TestCase("\"state_size\": Infinity", "state_size: expected an integer from 1 to 2147483647, found Infinity")]
    [TestCase("\"state_size\": 16.5", "state_size: expected an integer from 1 to 2147483647, found 16.5")]
    [TestCase("\"state_size\": 99999999999999999999999", "state_size: expected an integer")]
    [TestCase("\"quantization_config\": {\"quant_method\": \"bitsandbytes\"}", "quantization_config: expected none, found weights quantized by bitsandbytes")]
    [TestCase("\"architectures\": [\"MambaForSequenceClassification\"]", "architectures: expected MambaForCausalLM or MambaModel, as model_type is mamba; found MambaForSequenceClassification")]
    [TestCase("\"architectures\": [\"FalconMambaForCausalLM\"]", "found FalconMambaForCausalLM")]
    [TestCase("\"hidden_act\": \"gelu\"", "hidden_act: expected silu, found gelu")]
    [TestCase("\"rms_norm\": false", "rms_norm")]
    [TestCase("\"attn_layer_idx\": [3]", "attn_layer_idx")]
    [TestCase("\"eos_token_id\": \"x\"", "eos_token_id: expected an integer or a list of them, found \"x\"")]
    [TestCase("\"eos_token_id\": [1, 2.5]", "eos_token_id: expected an integer or a list of them, found [1, 2.5]")]
    public void What_would_change_the_numbers_is_refused_by_name(string fields, string expected) =>
        Assert.That(() => Read($"{{{Plain}, {fields}}}"), Throws.TypeOf<InvalidDataException>().With.Message.Contains(expected).And.Message.Contains("config.json"));

    [TestCase("mamba2")]
    [TestCase("bamba")]
    [TestCase("jamba")]
    [TestCase("llama")]
    public void Another_kind_of_model_is_named_with_those_that_are_supported(string type) => Assert.That(
        () => Read($"{{\"model_type\": \"{type}\", \"time_step_limit\": [0.0, Infinity], \"rms_norm\": false}}"),
        Throws.TypeOf<InvalidDataException>().With.Message.EndsWith($"model_type: expected mamba or falcon_mamba, found {type}"));

    [TestCase("\"hidden_size\": 16", "found neither; this is no Mamba configuration")]
    [TestCase("\"architectures\": [\"LlamaForCausalLM\"], \"hidden_size\": 16", "found neither, but architectures LlamaForCausalLM; this is no Mamba configuration")]
    [TestCase(Original + ", \"model_type\": \"mamba2\"", "model_type: expected mamba or falcon_mamba, found mamba2")]
    [TestCase(Original + ", \"model_type\": \"mamba\", \"ssm_cfg\": {\"layer\": \"Mamba2\"}", "ssm_cfg.layer: expected Mamba1, found Mamba2")]
    [TestCase(Original + ", \"hidden_size\": 16", "found hidden_size, which that code does not know")]
    public void What_a_configuration_is_instead_is_named(string fields, string expected) =>
        Assert.That(() => Read($"{{{fields}}}"), Throws.TypeOf<InvalidDataException>().With.Message.Contains(expected));

    [Test]
    public void The_original_layout_may_name_its_type() =>
        Assert.That(Read($"{{{Original}, \"model_type\": \"mamba\", \"architectures\": [\"MambaLMHeadModel\"]}}"), Is.EqualTo(Read($"{{{Original}}}")));

    [TestCase(10, "1.3", 13)]
    [TestCase(10, "2.3", 23)]
    [TestCase(10, "0.7", 7)]
    [TestCase(640, "1.3", 832)]
    [TestCase(10, "1.5", 15)]
    [TestCase(30, "1.7", 51)]
    [TestCase(10, "1.38", 13)]
    [TestCase(16, "2", 32)]
    [TestCase(16, "2.0", 32)]
    public void Expand_is_Pythons_product_and_comes_back_as_a_ratio(int width, string expand, int inner)
    {
        MambaConfig original = Read($"{{\"d_model\": {width}, \"n_layer\": 1, \"vocab_size\": 61, \"ssm_cfg\": {{\"expand\": {expand}}}}}");
        MambaConfig published = Read($"{{\"model_type\": \"mamba\", \"hidden_size\": {width}, \"num_hidden_layers\": 1, \"vocab_size\": 64, \"expand\": {expand}}}");
        Assert.That((original.DInner, published.DInner), Is.EqualTo((inner, inner)));
        ConfigFile.Write(file, original, ElementType.Float32);
        using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(file));
        Assert.That((int)(json.RootElement.GetProperty("expand").GetDouble() * width), Is.EqualTo(inner));
        Assert.That(json.RootElement.GetProperty("expand").GetRawText(), Has.Length.LessThanOrEqualTo(expand.Length));
        Assert.That(ConfigFile.Read(file), Is.EqualTo(original));
    }

    [Test]
    public void Every_width_has_a_ratio_from_which_it_is_computed_again()
    {
        for (int inner = 1; inner < 200; inner++)
        {
            MambaConfig config = new MambaConfig { DModel = 77, NLayer = 1, VocabSize = 8, DInner = inner }.Validate();
            ConfigFile.Write(file, config, ElementType.Float32);
            File.WriteAllText(file, File.ReadAllText(file).Replace("intermediate_size", "other", StringComparison.Ordinal));
            Assert.That(ConfigFile.Read(file), Is.EqualTo(config));
        }
    }

    [Test]
    public void All_that_is_written_comes_back([Values] bool input, [Values] bool output, [Values] bool falcon)
    {
        MambaConfig config = new MambaConfig
        {
            DModel = 10, NLayer = 2, VocabSize = 40, DState = 5, DConv = 3, DInner = 13, DtRank = 3, InProjBias = input, OutProjBias = output, ConvBias = false,
            TieEmbeddings = false, NormEpsilon = 1e-6f, MixerNormEpsilon = falcon ? 1e-7f : null, DtMin = 0.01f, DtMax = 0.2f, DtInitFloor = 1e-3f, DtScale = 2,
            InitializerRange = 0.3f, RescalePrenormResidual = false, BeginTokenId = 4, PadTokenId = 5, EndTokenIds = [7, 50300, 3],
        }.Validate();
        ConfigFile.Write(file, config, ElementType.BFloat16);
        Assert.That(ConfigFile.Read(file), Is.EqualTo(config));
    }

    [TestCase("\"attn_layer_idx\": [], \"attn_cfg\": {}, \"tie_embeddings\": true, \"d_intermediate\": 0, \"fused_add_norm\": true, \"residual_in_fp32\": true")]
    [TestCase("\"_name_or_path\": \"x\", \"torch_dtype\": \"float32\", \"ssm_cfg\": {\"layer\": \"Mamba1\", \"use_fast_path\": false}")]
    public void The_original_layout_has_fields_without_effect(string fields) => Assert.That(Read($"{{{Original}, {fields}}}"), Is.EqualTo(Read($"{{{Original}}}")));

    [TestCase("\"ssm_cfg\": {\"layer\": \"Mamba2\"}", "ssm_cfg.layer: expected Mamba1, found Mamba2")]
    [TestCase("\"ssm_cfg\": {\"headdim\": 64}", "found headdim")]
    [TestCase("\"d_intermediate\": 128", "d_intermediate")]
    [TestCase("\"embedding_scale\": 2", "found embedding_scale, which that code does not know")]
    [TestCase("\"ssm_cfg\": {\"expand\": Infinity}", "expand: expected a finite number, found Infinity")]
    public void The_original_layout_refuses_what_its_code_does_not_know(string fields, string expected) =>
        Assert.That(() => Read($"{{{Original}, {fields}}}"), Throws.TypeOf<InvalidDataException>().With.Message.Contains(expected));

    [Test]
    public void Ids_of_both_layouts_are_kept()
    {
        MambaConfig config = Read($"{{{Plain}, \"bos_token_id\": 1, \"eos_token_id\": [2, 3.0], \"pad_token_id\": -1}}");
        Assert.That((config.BeginTokenId, config.EndTokenId, config.PadTokenId), Is.EqualTo((1, 2, -1)));
        Assert.That(config.EndTokenIds, Is.EqualTo(new[] { 2, 3 }));
        Assert.That(Read($"{{{Original}, \"eos_token_id\": 4294967295}}").EndTokenIds, Is.EqualTo(new[] { int.MaxValue }));
    }

    [Test]
    public void Configurations_with_the_same_ids_are_equal()
    {
        MambaConfig config = new() { DModel = 8, NLayer = 1, VocabSize = 8, EndTokenIds = [1, 2, 1] };
        Assert.That(config, Is.EqualTo(config with { EndTokenIds = new List<int> { 1, 2 } }).And.Not.EqualTo(config with { EndTokenIds = [2, 1] }));
        Assert.That(config.GetHashCode(), Is.EqualTo((config with { EndTokenIds = [1, 2] }).GetHashCode()));
        Assert.That(config.ToString(), Does.Contain("[1, 2]"));
    }

    [TestCase("\"model_type\": \"mamba\", \"hidden_size\": 16, \"num_hidden_layers\": 1, \"vocab_size\": 64, \"time_step_init_scheme\": \"constant\"", "time_step_init_scheme")]
    [TestCase("\"d_model\": 16, \"n_layer\": 1, \"vocab_size\": 64, \"ssm_cfg\": {\"dt_init\": \"constant\"}", "ssm_cfg.dt_init")]
    public void A_new_model_has_the_initial_values_that_are_asked_for_or_none(string fields, string named)
    {
        Assert.That(Read($"{{{fields}}}"), Is.Not.Null);
        Assert.That(() => ConfigFile.ReadForNewModel(file), Throws.TypeOf<InvalidDataException>().With.Message.Contains($"{named}: expected random, found constant"));
    }

    [TestCase("Infinity", """{"__float__":"Infinity"}""")]
    [TestCase("[-Infinity,NaN]", """[{"__float__":"-Infinity"},{"__float__":"NaN"}]""")]
    [TestCase("\"\\\"NaN\"", "\"\\\"NaN\"")]
    [TestCase("\"\\\\\" NaN", "\"\\\\\" {\"__float__\":\"NaN\"}")]
    [TestCase("\"NaN", "\"NaN")]
    [TestCase("\"a\\", "\"a\\")]
    [TestCase("-Inf", "-Inf")]
    [TestCase("", "")]
    public void Words_of_Python_become_objects_outside_of_texts(string text, string expected) =>
        Assert.That(Encoding.UTF8.GetString(PythonJson.ToJson(Encoding.UTF8.GetBytes(text)).Span), Is.EqualTo(expected));

    private MambaConfig Read(string json)
    {
        File.WriteAllText(file, json);
        return ConfigFile.Read(file);
    }
}
