/**
 * The words that speak for work, by what they mean, in many languages.
 *
 * Words are separated by commas; one that ends in `*` stands for every inflection of its stem. What comes after `|` is
 * found inside other words too, for scripts that put no space between words.
 */
const before = String.raw`(?<![\p{L}\p{M}\p{N}_])`;
const after = String.raw`(?![\p{L}\p{M}])`;
/** Arabic and Hebrew write "and", "the" and their likes as one letter before the word. */
const joined = "(?:[وفبل]?(?:ال)?|[והבל]{0,2})";

function wordsLike(list: string): RegExp {
  const [whole = "", inside = ""] = list.split("|");
  const stems = whole
    .split(",")
    .map((word) => word.trim().replaceAll(" ", String.raw`\s+`).replace("*", String.raw`\p{L}*`));
  const separate = `${before}${joined}(?:${stems.join("|")})${after}`;
  const parts =
    inside === ""
      ? ""
      : `|${inside
          .split(",")
          .map((word) => word.trim())
          .join("|")}`;
  return new RegExp(`${separate}${parts}`, "iu");
}

/** One entry per kind of work, so that saying the same twice counts once. */
export const work: readonly RegExp[] = [
  "read,go through,going through,have a look at,look at,look through,lies,lest,lese,lesen,durchgehen,durchlesen,lis,lisez,lire,parcours,parcourez,lee,lea,leer,lean,leggi,leggere,legga,leia,ler,leiam,lees,przeczytaj,przeczytać,прочита*,прочти*,oku,okuyun,okuyup,اقرأ,اقرئي,קרא,קראי,קראו,بخوان,خواندن|读,読,읽,पढ़",
  "list,auflisten,liste,dresse,lister,enumera*,elenca*,listar,liste uma,wymień,перечисли*,составь,listele*,اسرد,רשום|列出,一覧,목록,सूची",
  "find,search,look for,work out,find out,suche,suchen,such,finde,finden,cherche*,trouve*,recherche*,busca*,encuentra*,trova,trovare,procure,encontre,zoek,znajdź,найди*,найти,bul,ara,ابحث,جد,חפש,מצא,پیدا|查找,搜索,找出,探,찾,खोज",
  "fetch,download,herunterladen,lade,hole,hol,télécharge*,récupère*,descarga*,scarica*,baixe,baixar,pobierz,скачай*,загрузи*,indir,حمّل,نزّل,הורד,دانلود|下载,ダウンロード,取得,다운로드,डाउनलोड",
  "collect,gather,extract,pull out,sort,group,sammle,sammeln,extrahiere*,herausziehen,rausziehen,gruppiere*,sortiere*,collecte*,extrai*,relève*,rassemble*,recopila*,extrae*,reúne*,estrai,raccogli,raccogliere,extraia,colete,reúna,verzamel,zbierz,wyciągnij,собери*,извлеки*,topla*,çıkar,استخرج,اجمع,אסוף,חלץ,جمع کن|收集,提取,集計,抽出,모아,निकाल",
  "summari*,sum up,tl;dr,tldr,recap,zusammenfass*,fasse,fass,résume*,résumer,synthétise*,resum*,riassumi*,riassumere,sintetizza*,samenvat*,streść,podsumuj,обобщи*,резюмируй*,özetle*,لخص,סכם,סכמי,خلاصه|总结,概括,要約,まとめ,요약,सारांश",
  "compare,reconcile,contrast,cross-check,vergleiche*,abgleiche*,compara*,confronta*,compare com,vergelijk,porównaj,сравни*,karşılaştır*,قارن,השווה,مقایسه|比较,对比,比較,비교,तुलना",
  "count,tally,zähle*,compte,comptez,compter,cuenta*,conta,contare,policz,посчитай*,подсчитай*,عدّ,احسب,ספור|统计,计数,数え,세어,गिन",
  "write up,write,draft,document,schreib*,verfasse*,écri*,rédige*,escrib*,redacta*,scrivi,scrivere,redigi,escreva,escrever,redija,schrijf,napisz,напиши*,написать,yaz,yazın,اكتب,حرر,כתוב,כתבי,بنویس|写,書,작성,लिख",
  "create,build,generate,produce,prepare,make,erstelle*,erzeuge*,vorbereite*,crée*,génère*,prépare*,crea,crear,genera*,prepara*,haz,crie,gere,prepare um,maak,zrób,stwórz,przygotuj,создай*,подготовь*,сделай*,oluştur*,hazırla*,أنشئ,حضّر,צור,הכן,بساز|创建,生成,制作,作成,作って,만들,정리,बना",
  "merge,combine,consolidate,put,führe,kombiniere*,zusammenführen,fusionne*,combina*,unisci,unire,junte,voeg,połącz,объедини*,birleştir*,ادمج,אחד|合并,統合,합쳐,जोड़",
  "analy[sz]e,analysis,audit,investigate,evaluate,assess,analysiere*,auswerten,untersuche*,analyser,audite*,évalue*,analiza*,audita*,evalúa*,analizza*,analise,avalie,analyseer,przeanalizuj,проанализируй*,analiz,حلل,נתח|分析,评估,調査,분석,विश्लेषण",
  "translate*,übersetz*,tradui*,traduc*,traduci,traduza,vertaal,przetłumacz,переведи*,çevir*,ترجم,תרגם,ترجمه|翻译,翻訳,訳し,번역,अनुवाद",
  "review,check,verify,proofread,prüfe*,prüf,überprüfe*,kontrolliere*,vérifie*,contrôle*,revisa*,verifica*,comprueba*,controlla*,verifique,revise,controleer,sprawdź,проверь*,проверить,kontrol,incele*,تحقق,راجع,בדוק,בדקי,بررسی|检查,核对,確認,点検,확인,검토,जाँच,जांच",
  "send,publish,post,submit,sende*,schicke*,veröffentliche*,envoie*,publie*,envía*,publica*,invia,pubblica*,envie,stuur,wyślij,отправь*,gönder*,أرسل,انشر,שלח|发送,发布,送って,送信,보내,भेज",
  "implement,refactor,deploy,migrate,migration,install,port,rewrite,replace,run,fix,throw,implementiere*,migriere*,ersetze*,remplace*,migre*,reemplaza*,migra*,sostituisci,substitua,vervang,zastąp,замени*,değiştir*,استبدل,החלף|部署,实现,替换,移行,置き換え,바꿔,बदल",
].map(wordsLike);

export const ordering = wordsLike(
  "and then,then,after that,after which,afterwards,finally,first,firstly,next,danach,dann,anschließend,zuletzt,zuerst,schließlich,ensuite,puis,enfin,d'abord,d’abord,luego,después,finalmente,primero,poi,infine,prima,dopo,depois,em seguida,por fim,primeiro,daarna,potem,następnie,потом,затем,сначала,наконец,sonra,ardından,önce,ثم,بعد ذلك,أولا,ואז,אחר כך,לבסוף,سپس|然后,接着,最后,首先,それから,してから,最後に,次に,그리고 나서,다음에,फिर,बाद में",
);

export const everything = wordsLike(
  "every,each,all,whole,entire,full,jede,jeden,jedes,jeder,jedem,alle,allen,aller,sämtliche*,ganze,ganzen,chaque,chacun,chacune,tous,toutes,tout le,toute la,cada,todo,toda,todos,todas,tutti,tutte,ogni,ciascun*,elk,elke,wszystkie,wszystkich,każdy,każdą,все,всех,каждый,каждую,каждого,bütün,tüm,her bir*,كل,جميع,כל,همه,تمام,saare,saari,sabhi,har|每个,每一,所有,全部,逐个,すべて,全て,各,それぞれ,全,모든,각각,सभी,हर",
);

/** What somebody has and a tool must open. */
export const things = wordsLike(
  "file,files,folder,folders,directory,directories,repository,repositories,repo,codebase,code base,test suite,module,modules,markdown,csv,csvs,pdf,pdfs,spreadsheet,spreadsheets,page,pages,website,contract,contracts,invoice,invoices,ticket,tickets,log,logs,notes,inbox,export,documentation,docs,ledger,transcript,transcripts,sources,reports,datei,dateien,ordner,verzeichnis,protokoll,protokolle,sitzungsprotokolle,vertrag,verträge,rechnung,rechnungen,angebote,unterlagen,belege,fichier,fichiers,dossier,dossiers,dépôt,contrats,factures,comptes rendus,documentation,pages,archivo,archivos,fichero,ficheros,carpeta,carpetas,repositorio,contratos,facturas,factura,cartella,cartelle,contratti,fatture,arquivo,arquivos,pasta,pastas,contratos,relatórios,faturas,bestand,bestanden,plik*,faktur*,umow*,файл,файлы,файлов,папка,папке,папки,договор*,счета,klasör*,dosya*,sözleşme*,ملف,ملفات,مجلد,مستودع,عقود,קובץ,קבצים,קבצי,תיקייה,תיקיית,תיקיה,חוזים,فایل,فایل‌های,فایلها,پوشه|文件,文档,目录,文件夹,合同,发票,日志,仓库,ファイル,フォルダ,文書,ログ,契約書,請求書,資料,파일,폴더,문서,로그,계약서,फ़ाइल,फाइल,फ़ोल्डर,फोल्डर",
);

/** What somebody wants to have in the end. */
export const documents = wordsLike(
  "report,reports,document,documents,spreadsheet,table,chart,table of contents,glossary,presentation,summary,slides,recommendation,migration plan,bericht,berichts,tabelle,übersicht,empfehlung,präsentation,rapport,rapports,synthèse,tableau,informe,informes,tabla,resumen,relazione,rapporto,tabella,calendario,riassunto,relatório,tabela,resumo,verslag,overzicht,raport,zestawienie,отчёт,отчет,таблицу,сводку,rapor*,tablo*,تقرير,تقريرًا,جدول,ملخص,דוח,טבלה,סיכום,گزارش|报告,表格,汇总,レポート,報告書,表に,보고서,표로,रिपोर्ट",
);

/** Somebody is asked to do something, even where the sentence is a question. */
export const requests = wordsLike(
  "please,pls,can you,could you,would you,will you,i need,i want,i would like,kannst,könntest,können sie,könnten sie,bitte,ich brauche,ich möchte,peux-tu,pouvez-vous,pourrais-tu,pourriez-vous,s'il te plaît,s'il vous plaît,puedes,podrías,puede,podría,por favor,puoi,potresti,può,per favore,você pode,poderia,por gentileza,kun je,proszę,możesz,пожалуйста,можешь,можете,lütfen,misin,من فضلك,هل يمكنك,בבקשה,תוכל,لطفا|请,帮我,ください,お願い,해 주세요,해주세요,कृपया",
);
